from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from foretide.errors import ConfigError
from foretide.models import start as module
from foretide.models.config import StartConfig
from foretide.models.series import Series
from foretide.models.start import Start, fit_start, tamed, window_level

SIZE, H = 6, 3


def make_series(lengths: tuple[int, ...] = (400,), targets: int = 1, channels: int = 1, seed: int = 0) -> Series:
    """Autoregressive channels, ``x_t = 0.8 x_{t-1} - 0.3 x_{t-2} + noise``; the last fifth of each is validation."""
    rng = np.random.default_rng(seed)
    values = 0.4 * rng.normal(size=(sum(lengths), channels))  # small, so that no window is tamed
    row0 = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    for first, n in zip(row0, lengths, strict=True):
        for t in range(first + 2, first + n):
            values[t] += 0.8 * values[t - 1] - 0.3 * values[t - 2]
    length = np.array(lengths, dtype=np.int64)
    return Series(values.astype(np.float32), None, 5 * np.arange(len(length)), row0, length, length * 4 // 5, targets)


def with_values(series: Series, values: Any, known: Any = None) -> Series:
    def rows(entity: int, low: int, high: int) -> NDArray[Any]:
        found: NDArray[Any] = known[series.row0[entity] + low : series.row0[entity] + high]
        return found

    return replace(series, values=values.astype(np.float32), known=None if known is None else rows)


def steps(series: Series) -> NDArray[np.int64]:
    return np.concatenate([series.part(i, 0, n)[0] for i, n in enumerate(series.length)])


def cutoffs(series: Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the cutoffs for training and validation."""
    train, validation = [], []
    for first, n, end in zip(series.row0, series.length, series.train_length, strict=True):
        train += list(range(first + SIZE - 1, first + end - H))
        validation += list(range(first + end - 1, first + n - H))
    return np.array(train), np.array(validation)


def find(series: Series, seasons: tuple[float, ...] = (), **config: Any) -> Start:
    train, validation = cutoffs(series)
    return fit_start(series, train, validation, input_size=SIZE, h=H, seasons=seasons, config=StartConfig(**config))


def wave(series: Series, period: float, size: float = 3.0) -> NDArray[np.float64]:
    return size * np.sin(2 * np.pi * steps(series) / period)[:, None]


# ---------------------------------------------------------------- what is solved
def regression(
    series: Series, rows: NDArray[np.int64], level: str, penalty: float, pairs: list[tuple[list[int], int]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ridge with numpy's least squares, one window after another; ``pairs`` of (input channels, target) are pooled."""
    x, y = [], []
    for inputs, target in pairs:
        for row in rows:
            window = series.values[row - SIZE + 1 : row + 1].astype(np.float64)
            base = {"last": window[-1], "mean": window.mean(axis=0), "none": 0 * window[-1]}[level]
            x.append(np.concatenate([window[:, c] - base[c] for c in inputs]))
            y.append(series.values[row + 1 : row + H + 1, target] - base[target])
    x64, y64 = np.array(x), np.array(y)
    centred = x64 - x64.mean(axis=0)
    p = x64.shape[1]
    extra = np.sqrt(penalty * np.trace(centred.T @ centred) / p) * np.eye(p)
    design = np.block([[x64, np.ones((len(x64), 1))], [extra, np.zeros((p, 1))]])
    solved = np.linalg.lstsq(design, np.concatenate([y64, np.zeros((p, H))]), rcond=None)[0]
    return solved[:-1], solved[-1]


@pytest.mark.parametrize("level", ["last", "mean", "none"])
@pytest.mark.parametrize("channels", ["shared", "own", "all"])
def test_equal_to_a_regression_by_hand(level: str, channels: str) -> None:
    series = make_series((150, 90), targets=2, channels=3)
    train, validation = cutoffs(series)
    got = find(series, level=level, channels=channels, waves=0, penalties=(0.01,))
    sizes = {"shared": (1, SIZE, H), "own": (2, SIZE, H), "all": (3, SIZE, 2, H)}
    assert got.weights.shape == sizes[channels]
    assert got.intercept.shape == (2, H)
    error = 0.0
    for d in range(2):
        pairs = {"shared": [([0], 0), ([1], 1)], "own": [([d], d)], "all": [([0, 1, 2], d)]}[channels]
        weights, intercept = regression(series, train, level, 0.01, pairs)
        one = got.weights[:, :, d] if channels == "all" else got.weights[d if channels == "own" else 0]
        np.testing.assert_allclose(one.reshape(-1, H), weights, atol=1e-6)
        np.testing.assert_allclose(got.intercept[d], intercept, atol=1e-6)
        for row in validation:
            window = series.values[row - SIZE + 1 : row + 1].astype(np.float64)
            base = {"last": window[-1], "mean": window.mean(axis=0), "none": 0 * window[-1]}[level]
            x = (window - base).T
            flat = x.reshape(-1) if channels == "all" else x[d]
            error += ((series.values[row + 1 : row + H + 1, d] - base[d] - flat @ weights - intercept) ** 2).sum()
    assert got.val_error == pytest.approx(error / (len(validation) * H * 2), rel=1e-5)


def test_chunks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    series = make_series((500, 300), targets=2, channels=2)
    series = with_values(series, series.values + wave(series, 12))
    whole = find(series, (12,), waves=2, level="mean", channels="all")
    monkeypatch.setattr("foretide.models.closed_form.CHUNK_BYTES", 8 * 64 * SIZE)
    parts = find(series, (12,), waves=2, level="mean", channels="all")
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-8)
    assert parts.val_error == pytest.approx(whole.val_error)


def test_no_linear_map() -> None:
    series = make_series()
    got = find(series, linear=False, level="last", waves=0)
    train, _ = cutoffs(series)
    np.testing.assert_array_equal(got.weights, 0)
    ahead = [[float(series.values[r + k, 0] - series.values[r, 0]) for k in range(1, H + 1)] for r in train]
    np.testing.assert_allclose(got.intercept[0], np.mean(ahead, axis=0), atol=1e-6)
    assert got.chosen["penalty"] == float("inf")


def test_season_is_taken_off_lags_and_truths() -> None:
    series = make_series()
    series = with_values(series, series.values + wave(series, 12))
    got = find(series, (12,), waves=1, level="none", channels="shared", penalties=(1e-6,))
    left = with_values(series, series.values - got.season.at(0, steps(series)))
    weights, intercept = regression(left, cutoffs(series)[0], "none", 1e-6, [([0], 0)])
    np.testing.assert_allclose(got.weights[0], weights, atol=1e-5)
    np.testing.assert_allclose(got.intercept[0], intercept, atol=1e-5)
    np.testing.assert_allclose(got.season.waves[0, :, 0], [3.0, 0.0], atol=0.4)


# ---------------------------------------------------------------- what is chosen
def test_noise_alone_needs_nothing() -> None:
    series = make_series()
    rng = np.random.default_rng(5)
    series = with_values(series, rng.normal(size=series.values.shape))
    got = find(series, (12, 24))
    assert got.chosen["waves"] == 0
    assert got.chosen["penalty"] >= 0.1


def test_waves_are_found() -> None:
    series = make_series((600,))
    series = with_values(series, 0.3 * series.values + wave(series, 24) + wave(series, 8, 1.5))
    got = find(series, (24,))
    assert got.chosen["waves"] >= 2
    assert {round(1 / f) for f in got.season.frequencies[:2]} == {24, 8}


def test_a_channel_that_leads_is_used() -> None:
    series = make_series((600,), targets=1, channels=2)
    values = np.random.default_rng(1).normal(size=(600, 2))
    values[3:, 0] = values[:-3, 1] + 0.1 * values[3:, 0]
    got = find(with_values(series, values))
    assert got.channels == "all"
    assert got.val_error < 0.1
    assert find(make_series((600,), targets=1, channels=2)).channels == "shared"


def test_targets_that_differ_get_maps_of_their_own() -> None:
    series = make_series((600,), targets=2, channels=2)
    values = series.values.astype(np.float64)
    noise = np.random.default_rng(3).normal(size=600)
    for t in range(1, 600):
        values[t, 1] = -0.9 * values[t - 1, 1] + noise[t]
    assert find(with_values(series, values)).channels == "own"
    assert find(series).channels == "shared"  # both follow the same distribution


def test_known_columns_are_used_when_they_help() -> None:
    series = make_series((400, 300))
    known = np.random.default_rng(2).normal(size=(700, 1)).astype(np.float32)
    helped = with_values(series, 0.3 * series.values + 2 * known, known)
    got = find(helped)
    assert got.chosen["known"]
    np.testing.assert_allclose(got.season.known, [[2.0]], atol=0.1)
    assert not find(with_values(series, series.values, known)).chosen["known"]
    assert not find(helped, known="off").chosen["known"]
    assert find(with_values(series, series.values, known), known="on").chosen["known"]


def test_level() -> None:
    # With a linear map both levels span the same forecasts; without one, white noise around a level that moves
    # rarely is best forecast by the window's mean, and a random walk by its last value.
    series = make_series((300, 300))
    rng = np.random.default_rng(2)
    drift = np.repeat(np.cumsum(rng.normal(size=12)), 50)[:, None]
    assert find(with_values(series, 0.2 * (drift + rng.normal(size=(600, 1)))), linear=False).level == "mean"
    walk = 0.2 * np.cumsum(rng.normal(size=(600, 1)), axis=0)
    assert find(with_values(series, walk), linear=False).level == "last"


def test_the_simpler_is_kept_within_the_margin() -> None:
    def error(value: float) -> Start:
        return Start(None, "last", "shared", np.zeros(1), np.zeros(1), {"val_mse": value})  # type: ignore[arg-type]

    simple = error(1.0)
    assert module._simpler(None, simple) is simple
    assert module._simpler(simple, error(1.0 - module.MARGIN + 1e-6)) is simple
    better = error(1.0 - module.MARGIN - 1e-6)
    assert module._simpler(simple, better) is better


def test_the_penalty_is_the_best_on_validation() -> None:
    series = make_series()
    penalties = (1e-6, 1e-2, 1.0, 100.0)
    alone = [find(series, level="last", penalties=(p,)).val_error for p in penalties]
    got = find(series, level="last", penalties=penalties)
    assert got.chosen["penalty"] == penalties[int(np.argmin(alone))]
    assert got.val_error == pytest.approx(min(alone))
    assert len(set(np.round(alone, 9))) == 4


def test_everything_tried_is_told() -> None:
    series = make_series((600,), targets=2, channels=3)
    got = find(series, (12,))
    assert got.chosen in got.tried
    assert {t["channels"] for t in got.tried} == {"shared", "own", "all"}
    assert {t["level"] for t in got.tried} == {"last", "mean"}
    assert {"waves", "known", "level", "channels", "penalty", "val_mse"} == set(got.chosen)


def test_only_given_rows_are_seen() -> None:
    # What lies after the validation part decides nothing.
    series = make_series((400,), targets=1, channels=2)
    train, validation = cutoffs(series)
    early = validation[:30]
    stop = int(early[-1]) + H + 1
    options = {"input_size": SIZE, "h": H, "seasons": (12,), "config": StartConfig()}
    clean = fit_start(series, train, early, **options)  # type: ignore[arg-type]
    values = series.values.copy()
    values[stop:] = 1e6
    other = fit_start(with_values(series, values), train, early, **options)  # type: ignore[arg-type]
    assert other.chosen == clean.chosen
    np.testing.assert_array_equal(other.weights, clean.weights)
    # Validation values decide, and are no part of the fit.
    values = series.values.copy()
    values[series.train_length[0] :] += 0.5
    third = fit_start(with_values(series, values), train, early, **options)  # type: ignore[arg-type]
    assert third.val_error != clean.val_error
    same = [(t, c) for t in third.tried for c in clean.tried if t["waves"] == c["waves"]]
    assert same
    one = {"level": "last", "channels": "all", "waves": 2, "penalties": (0.1,)}
    np.testing.assert_array_equal(find(with_values(series, values), (12,), **one).weights,
                                  find(series, (12,), **one).weights)  # fmt: skip


def test_no_validation_windows() -> None:
    series = make_series()
    train, _ = cutoffs(series)
    penalties = (1e-6, 1e-2, 100.0)
    got = fit_start(series, train, np.zeros(0, np.int64), input_size=SIZE, h=H, seasons=(),
                    config=StartConfig(penalties=penalties))  # fmt: skip
    assert got.chosen["penalty"] == 1e-2


def test_fixed_number_of_waves() -> None:
    series = make_series()
    assert len(find(series, (12,), waves=3).season.frequencies) == 3
    assert len(find(series, (12,), waves=999).season.frequencies) == 12  # all harmonics of 12 and 24


# ---------------------------------------------------------------- small parts
def test_window_level() -> None:
    window = np.random.default_rng(0).normal(size=(4, 2, 5))
    for b in range(4):
        for c in range(2):
            assert window_level(window, "last")[b, c] == window[b, c, 4]
            assert window_level(window, "mean")[b, c] == pytest.approx(sum(window[b, c]) / 5)
            assert window_level(window, "none")[b, c] == 0.0


def test_windows_that_move_too_much_are_shrunk() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 6)), rng.normal(size=(4, 3))
    x[1] *= 1000
    y[2] *= 50
    got_x, got_y = tamed(x, y)
    for i in range(4):
        size = max(np.sqrt((x[i] ** 2).mean()), np.sqrt((y[i] ** 2).mean()))
        shrink = min(1.0, module.LARGEST / size)
        np.testing.assert_allclose(got_x[i], x[i] * shrink)
        np.testing.assert_allclose(got_y[i], y[i] * shrink)
    np.testing.assert_array_equal(got_x[[0, 3]], x[[0, 3]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "lst"}, "level is one of 'auto', 'last', 'mean', 'none', 'base'; got 'lst'"),
        ({"channels": "each"}, "channels is one of 'auto', 'shared', 'own', 'all'; got 'each'"),
        ({"known": True}, "known is one of 'auto', 'on', 'off'; got True"),
        ({"waves": "many"}, "waves is 'auto' or a number of waves, at least 0; got 'many'"),
        ({"waves": -1}, "got -1"),
        ({"penalties": ()}, r"penalties are one or more numbers of at least 0; got \(\)"),
        ({"penalties": (-1.0,)}, "penalties are one or more"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StartConfig(**settings)


# ---------------------------------------------------------------- once more, with the validation part
@pytest.mark.parametrize("config", [{}, {"channels": "all", "level": "mean"}, {"linear": False}, {"waves": 2}])
def test_later_is_the_chosen_combination_on_all_rows(config: dict[str, Any]) -> None:
    series = make_series((400, 300), targets=2, channels=2)
    series = with_values(series, series.values + wave(series, 12.0))
    train, validation = cutoffs(series)
    options: dict[str, Any] = {"input_size": SIZE, "h": H, "seasons": (12.0,)}
    start = fit_start(series, train, validation, config=StartConfig(**config), lengths=series.length, **options)
    chosen, later = start.chosen, start.later
    assert later is not None
    fixed = StartConfig(
        level=start.level, channels=start.channels, waves=chosen["waves"], linear=config.get("linear", True),
        penalties=(chosen["penalty"],) if config.get("linear", True) else (0.0,),
    )  # fmt: skip
    rows = np.sort(np.concatenate([train, validation]))
    expected = fit_start(replace(series, train_length=series.length), rows, rows[:0], config=fixed, **options)
    for got, wanted in ((later.weights, expected.weights), (later.intercept, expected.intercept)):
        np.testing.assert_allclose(got, wanted, atol=1e-9)
    assert np.abs(later.intercept - start.intercept).max() > 0

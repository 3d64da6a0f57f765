from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.forecasters.classical import linear_search
from foretide.forecasters.classical.linear import Linear
from foretide.forecasters.classical.linear_search import Search, blocks_of, lookbacks
from foretide.models.pooled_map import Store, spaced

H = 4


def panel_of(values: Any, **known: Any) -> ft.Panel:
    """Daily series ``[T, N]`` as a long table."""
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": pd.date_range("2024-01-01", periods=len(values)), "y": y, **known})
        for i, y in enumerate(np.asarray(values).T)
    ]
    return ft.Panel.from_frame(pd.concat(frames), future=list(known))


def autoregression(signs: list[float], n: int = 300, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, len(signs)))
    for t in range(1, n):
        y[t] += np.array(signs) * y[t - 1]
    return y


def chosen(model: Linear) -> dict[str, str]:
    table = model.choices()
    return dict(zip(table.setting, table.value, strict=True))


# ---------------------------------------------------------------- what is tried
@pytest.mark.parametrize(
    ("seasons", "room", "expected"),
    [
        ((12,), 100, [12, 24, 48]), ((4,), 30, [4, 8]), ((), 9, [2, 4]), ((12,), 10, [10]), ((), 1, [1]),
        ((24, 168), 300, [24, 48, 96]), ((24, 168), 340, [24, 48, 96, 168]),
    ],
)  # fmt: skip
def test_lookbacks(seasons: tuple[int, ...], room: int, expected: list[int]) -> None:
    assert lookbacks(seasons, room) == expected


def test_rows_thinned_out_pass_through_the_season() -> None:
    rows = spaced(np.arange(1000), 100, 24)
    assert len(rows) <= 100
    assert rows[-1] == 999
    assert set(rows % 24) == set(range(24))


def test_blocks_of_time() -> None:
    begin = np.repeat([0, 12], [12, 6])
    train = np.repeat([9, 3], [12, 6])
    assert blocks_of(begin, train, 1, 12).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 1, 2, 3, 3, 3]
    assert blocks_of(begin, train, 2, 12).tolist() == [0] * 9 + [1] * 3 + [0] * 3 + [1] * 3


def test_windows_judged_have_the_lags_of_the_longest_lookback() -> None:
    length = np.array([100, 30])
    store = Store.of(np.random.default_rng(0).normal(size=(130, 1)), length, 7)
    blocks = blocks_of(store.begin, np.repeat([80, 20], length), 2, 80)

    def rows(lookback: int) -> Any:
        place = np.arange(130) - store.begin
        return np.flatnonzero((place >= lookback - 1) & (place + 2 < length[store.series]))

    search = Search(store, rows, blocks, np.ones(2), 2, 3, 40)
    place = search.judged - store.begin[search.judged]
    assert place[store.series[search.judged] == 0].min() == 40
    assert place[store.series[search.judged] == 1].min() == 15  # half of it
    assert search.folds == [1, 2, 3]


# ---------------------------------------------------------------- what is learned
def test_close_to_the_true_autoregression() -> None:
    y = autoregression([0.9, 0.9], 600)
    model = Linear(H).fit(panel_of(y))
    mean = model.predict(panel_of(y), levels=()).mean[:, :, 0]
    np.testing.assert_allclose(mean, y[-1][:, None] * 0.9 ** np.arange(1, H + 1), atol=0.5)


def test_series_that_differ_get_maps_of_their_own() -> None:
    y = autoregression([0.9, -0.9, 0.9, -0.9])
    panel = panel_of(y)
    own, shared = (Linear(1, own=flag).fit(panel.head(panel.length - 30), intervals=False) for flag in (True, False))
    assert chosen(own)["own"] != "no"
    assert chosen(shared)["own"] == "no"

    def error(model: Linear) -> float:
        forecast = model.predict(panel, cutoffs=panel.grid.output_times(np.arange(269, 299)), levels=())
        return float(np.sqrt(np.mean((forecast.truth() - forecast.mean) ** 2)))

    assert error(own) < 0.8 * error(shared)
    alike = Linear(1).fit(panel_of(autoregression([0.9] * 4)), intervals=False)
    assert alike._recipe.deviation in (None, *linear_search.DEVIATIONS[-4:])


def test_a_season_asks_for_a_whole_one() -> None:
    rng = np.random.default_rng(0)
    pattern = np.tile(rng.normal(size=7), 60)[:, None]
    model = Linear(7).fit(panel_of(pattern + 0.1 * rng.normal(size=(420, 3))))
    assert min(int(size) for size in chosen(model)["lookback"].split(", ")) >= 7
    assert model.memory is not None
    assert model.memory >= model.min_history >= 7


@pytest.mark.parametrize("helps", [True, False])
def test_known_columns_are_kept_where_they_help(helps: bool) -> None:
    y = autoregression([0.5, 0.5], 200)
    promo = np.random.default_rng(3).integers(0, 2, 200).astype(float)
    panel = panel_of(y + (6 * promo[:, None] if helps else 0), promo=promo)
    model = Linear(H).fit(panel.head(panel.length - H))
    assert model.needs_future == helps
    assert chosen(model)["known columns"] == ("yes" if helps else "no")
    forecast = model.predict(panel, cutoffs=panel.grid.output_times([199 - H]))
    assert any(note.kind == "left-out" for note in forecast.notes) != helps
    if helps:
        jump = forecast.mean[0, :, 0] - np.where(promo[-H:], 6, 0)
        assert np.abs(jump).max() < 2
        assert not Linear(H, known="off").fit(panel).needs_future


def test_known_columns_need_not_work_in_a_straight_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    warmth = rng.normal(size=400)
    y = autoregression([0.5, 0.5], 400) + 5 * np.abs(warmth)[:, None]
    panel = panel_of(y, warmth=warmth)
    model = Linear(H).fit(panel.head(panel.length - 40), intervals=False)
    assert model._basis is not None
    cutoffs = panel.grid.output_times(np.arange(359, 396))
    forecast = model.predict(panel, cutoffs=cutoffs, levels=())
    assert (
        np.sqrt(np.mean((forecast.truth() - forecast.mean) ** 2)) < 1.5
    )  # 1.1 without an error in the effect; 3 without
    model.save(tmp_path / "linear")
    np.testing.assert_array_equal(ft.load(tmp_path / "linear").predict(panel, cutoffs=cutoffs).mean, forecast.mean)
    late = ft.Panel.from_frame(panel.to_frame().groupby("unique_id").tail(100), future=["warmth"])
    np.testing.assert_allclose(model.predict(late, cutoffs=cutoffs, levels=()).mean, forecast.mean, rtol=1e-5)


def test_the_mean_of_members_is_what_they_forecast(tmp_path: Path) -> None:
    panel = make_panel((150, 120), targets=2)
    model = Linear(H).fit(panel)
    assert len(model._maps) == len(model._recipe.members) >= 1
    model.save(tmp_path / "linear")
    read = ft.load(tmp_path / "linear")
    np.testing.assert_array_equal(read.predict(panel).mean, model.predict(panel).mean)
    pd.testing.assert_frame_equal(read.choices(), model.choices())


def test_loud_stretches_of_another_kind_ask_for_a_robust_map(tmp_path: Path) -> None:
    assert chosen(Linear(H, own=False).fit(panel_of(autoregression([0.9] * 4)), intervals=False))["robust"] == "no"
    y = np.random.default_rng(0).normal(size=(400, 4))
    for t in range(1, 400):
        y[t] = 6 * y[t] - 0.9 * y[t - 1] if t % 50 < 8 else y[t] + 0.9 * y[t - 1]
    model = Linear(H, own=False).fit(panel_of(y), intervals=False)
    assert chosen(model)["robust"] in ("share 0.5", "share 1")
    model.save(tmp_path / "linear")
    pd.testing.assert_frame_equal(ft.load(tmp_path / "linear").choices(), model.choices())


def test_series_too_short_to_keep_steps_back() -> None:
    model = Linear(H).fit(make_panel((7, 8, 7)))
    assert chosen(model)["penalty"] == "0.1"
    assert np.isfinite(model.predict(make_panel((7, 8, 7))).mean).all()
    with pytest.raises(DataError, match="No training window fits"):
        Linear(H).fit(make_panel((4,)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"known": "yes"}, "known is one of 'auto', 'on', 'off'; got 'yes'"),
        ({"input_size": 0}, "input_size is a number of steps, at least 1; got 0"),
        ({"input_size": True}, "got True"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Linear(H, **settings)

from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel, times
from numpy.typing import NDArray

from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import ConfigError, DataError
from foretide.forecasters.classical.ridge import Ridge

SIZE, H, LAST, TRAIN = 8, 3, 139, 109


def panel_() -> Panel:
    return make_panel((170, 160), targets=2, past=1, first=(0, 4), seed=4)


def by_hand(panel: Panel, cutoffs: list[int], level: str, channels: str, penalty: float) -> NDArray[np.float64]:
    """Ridge on scaled windows, fitted on every training window of both entities, one window after another."""
    scaled, location, scale = [], [], []
    for i in range(panel.n_entities):
        rows = panel.rows(i)
        part = rows[: TRAIN - panel.first[i] + 1]
        location.append(part.mean(axis=0))
        scale.append(part.std(axis=0))
        scaled.append((rows - location[-1]) / scale[-1])

    def window(i: int, cutoff: int, target: int) -> tuple[NDArray[np.float64], float]:
        x = scaled[i][cutoff - SIZE + 1 : cutoff + 1]
        base = {"last": x[-1], "mean": x.mean(axis=0), "none": 0 * x[-1]}[level]
        used = (x - base).T.reshape(-1) if channels == "all" else (x - base)[:, target]
        return used, float(base[target])

    out = np.zeros((panel.n_entities * len(cutoffs), H, 2))
    for d in range(2):
        x, y = [], []
        for target in (0, 1) if channels == "shared" else (d,):
            for i in range(panel.n_entities):
                for cutoff in range(SIZE - 1, TRAIN - int(panel.first[i]) - H + 1):
                    used, base = window(i, cutoff, target)
                    x.append(used)
                    y.append(scaled[i][cutoff + 1 : cutoff + H + 1, target] - base)
        x64, y64 = np.array(x), np.array(y)
        centred, p = x64 - x64.mean(axis=0), x64.shape[1]
        absolute = penalty * np.trace(centred.T @ centred) / p
        weights = np.linalg.solve(centred.T @ centred + absolute * np.eye(p), centred.T @ (y64 - y64.mean(axis=0)))
        intercept = y64.mean(axis=0) - x64.mean(axis=0) @ weights
        for i in range(panel.n_entities):
            for k, step in enumerate(cutoffs):
                used, base = window(i, step - int(panel.first[i]), d)
                forecast = used @ weights + intercept + base
                out[i * len(cutoffs) + k, :, d] = forecast * scale[i][d] + location[i][d]
    return out


@pytest.mark.parametrize("level", ["last", "mean", "none"])
@pytest.mark.parametrize("channels", ["all", "own", "shared"])
def test_equal_to_a_regression_by_hand(level: str, channels: str) -> None:
    panel, cutoffs = panel_(), [139, 150, 155]
    until, train_until = times(panel, [LAST, TRAIN])
    model = Ridge(H, input_size=SIZE, channels=channels, level=level).fit(panel, until, train_until=train_until)
    got = model.predict(panel, times(panel, cutoffs)).mean
    expected = by_hand(panel, cutoffs, level, channels, model.facts()["penalty"])
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_auto_takes_the_best_on_validation() -> None:
    panel = panel_()
    until, train_until = times(panel, [LAST, TRAIN])

    def error(**settings: str) -> float:
        model = Ridge(H, input_size=SIZE, **settings).fit(panel, until, train_until=train_until)
        return float(model.facts()["val_mse"])

    fixed = [error(channels=c, level=v) for c in ("all", "own", "shared") for v in ("last", "mean")]
    assert min(fixed) <= error(channels="auto") <= min(fixed) * 1.1


def test_a_series_that_begins_after_the_training_part() -> None:
    panel = make_panel((170, 40), first=(0, 120))
    until, train_until = times(panel, [150, TRAIN])
    model = Ridge(H, input_size=SIZE).fit(panel, until, train_until=train_until)
    alone = Ridge(H, input_size=SIZE).fit(panel.take([0]), until, train_until=train_until)
    np.testing.assert_array_equal(model.predict(panel.take([0])).mean, alone.predict(panel.take([0])).mean)
    # It is forecast from its own window.
    assert np.abs(model.predict(panel).mean[1] - 20).max() < 10


def test_too_short() -> None:
    with pytest.raises(DataError, match=r"input_size=60 and h=3 need 63 rows, the longest series has 3 in the train"):
        Ridge(3, input_size=60).fit(make_panel((3,)))
    with pytest.raises(DataError, match=r"No training window fits"):
        Ridge(3).fit(make_panel((3,)))
    with pytest.warns(DataWarning, match="Ridge looks back at 15 steps instead of 60: half of all rows lie in"):
        short = Ridge(3, input_size=60).fit(make_panel((40,)))
    assert short.min_history == 15


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": "each"}, "channels is one of 'all', 'own', 'shared', 'auto'; got 'each'"),
        ({"level": "lst"}, "level is one of 'auto', 'last', 'mean', 'none'; got 'lst'"),
        ({"input_size": 0}, "input_size is a number of steps, at least 1; got 0"),
        ({"input_size": 2.5}, "got 2.5"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ridge(H, **settings)  # type: ignore[arg-type]


def test_a_map_too_wide_reads_own_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.forecasters.classical.ridge.MAX_WIDTH", 3 * SIZE - 1)
    panel, until = panel_(), times(panel_(), [LAST])[0]
    with pytest.warns(DataWarning, match="3 channels x 8 lags make a map of 24 inputs, more than 23"):
        wide = Ridge(H, input_size=SIZE, channels="all").fit(panel, until=until)
    own = Ridge(H, input_size=SIZE, channels="own").fit(panel, until=until)
    np.testing.assert_array_equal(wide.predict(panel).mean, own.predict(panel).mean)

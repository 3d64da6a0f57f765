"""A model that is watched: quiet where nothing has changed; an alarm where a level, a spread or a column has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.evaluation.monitor.checks import Check, with_alarms
from foretide.evaluation.monitor.forecasts import _ranked
from foretide.evaluation.monitor.inputs import Table, _quantiles, drift, faults

T, FIT, SERIES, DAY = 700, 600, 4, 24
NAMES = tuple(f"s{k}" for k in range(SERIES))


def values(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four series with a day's season and shared noise, and one column beside them."""
    generator = np.random.default_rng(seed)
    t, shared = np.arange(T), generator.standard_normal(T)
    noise = 0.7 * shared + 0.7 * generator.standard_normal((SERIES, T))
    return 10 + 3 * np.sin(2 * np.pi * t / DAY + np.arange(SERIES)[:, None]) + noise, generator.standard_normal(T)


def frame(y: np.ndarray, x: np.ndarray, low: int = 0, ids: tuple[str, ...] = NAMES) -> pd.DataFrame:
    """The rows from ``low`` on as a long table."""
    times = pd.date_range("2024-01-01", periods=T, freq="h")[low:]
    return pd.DataFrame({
        "unique_id": np.repeat(ids, len(times)), "ds": np.tile(times, len(ids)), "y": y[:, low:].ravel(),
        "x": np.tile(x[low:], len(ids)),
    })  # fmt: skip


@pytest.fixture(scope="module")
def model() -> ft.SeasonalES:
    y, x = values()
    panel = ft.Panel.from_frame(frame(y, x), id="unique_id", time="ds", target="y", past=["x"])
    return ft.SeasonalES(h=DAY, season=DAY).fit(panel, until=panel.grid.output_times([FIT - 1])[0])


def looked_at(model: ft.SeasonalES, y: np.ndarray, x: np.ndarray, low: int = 0) -> set[str]:
    return {check.name for check in ft.monitor(model, frame(y, x, low)).alarms}


def test_nothing_has_changed(model: ft.SeasonalES) -> None:
    y, x = values()
    whole, alone = (ft.monitor(model, frame(y, x, low)) for low in (0, FIT))
    assert whole.verdict == alone.verdict == "fine"
    assert {check.kind for check in whole.checks} == {"forecast", "input"}
    assert whole.steps == T - FIT
    # The rows before are remembered: next week's table by itself says the same.
    assert [c.p for c in whole.checks] == pytest.approx([c.p for c in alone.checks])


def test_figures_have_a_slow_twin(model: ft.SeasonalES) -> None:
    y, x = values()
    found = ft.monitor(model, frame(y, x))
    errors, inside = [], []
    panel = ft.Panel.from_frame(frame(y, x), id="unique_id", time="ds", target="y", past=["x"])
    for cutoff in range(FIT - 1, T - DAY, DAY):
        forecast = model.predict(panel, cutoffs=panel.grid.output_times([cutoff]), levels=80)
        for n, i in enumerate(forecast.windows.entity):
            truth = y[i, cutoff + 1 : cutoff + 1 + DAY]
            errors += np.abs(truth - forecast.mean[n, :, 0]).tolist()
            inside += ((truth >= forecast.quantile(0.1)[n, :, 0]) & (truth <= forecast.quantile(0.9)[n, :, 0])).tolist()
    assert found.figures["mae"] == pytest.approx(np.mean(errors))
    assert found.figures["coverage_80"] == pytest.approx(np.mean(inside))
    assert found.judged is not None
    assert found.judged.series["values"].sum() == len(errors) == found.judged.origins["values"].sum()


def test_a_level_that_moved(model: ft.SeasonalES) -> None:
    y, x = values()
    y[:, FIT:] += 3
    names = looked_at(model, y, x)
    assert {"size of the errors", "errors to one side", "misses of 80 %", "y: all series"} <= names


def test_one_series_of_several(model: ft.SeasonalES) -> None:
    y, x = values()
    y[2, FIT:] += 4
    found = ft.monitor(model, frame(y, x, FIT))
    assert "one series alone" in {check.name for check in found.alarms}
    assert found.judged is not None
    assert found.judged.series["series"].iloc[0] == "s2"


def test_a_spread_that_doubled(model: ft.SeasonalES) -> None:
    y, x = values()
    calm = 10 + 3 * np.sin(2 * np.pi * np.arange(T) / DAY + np.arange(SERIES)[:, None])
    y[:, FIT:] = (calm + 2 * (y - calm))[:, FIT:]
    assert "size of the errors" in looked_at(model, y, x, FIT)


def test_counts_whose_variance_doubled() -> None:
    generator = np.random.default_rng(4)
    rate = np.exp(1 + 0.5 * np.sin(2 * np.pi * np.arange(T) / DAY + np.arange(SERIES)[:, None]))
    usual, wild = generator.poisson(rate), generator.poisson(generator.gamma(rate, 1.0))
    x = generator.standard_normal(T)
    table = ft.Panel.from_frame(frame(usual, x), id="unique_id", time="ds", target="y", past=["x"])
    model = ft.SeasonalES(h=DAY, season=DAY).fit(table, until=table.grid.output_times([FIT - 1])[0])
    calm = ft.monitor(model, table)
    assert calm.verdict == "fine"
    misses = [check for check in calm.checks if check.name.startswith("misses")]
    for check in misses:  # what draws miss is what truths miss: a count at the bound is inside for both
        assert check.expected == pytest.approx(check.value, rel=0.3)
    wild[:, :FIT] = usual[:, :FIT]
    assert {"size of the errors", "misses of 80 %"} <= looked_at(model, wild, x, FIT)


def test_columns_that_broke(model: ft.SeasonalES) -> None:
    y, x = values()
    for broken, expected in ((x * 0 + 5, "x: stuck"), (x * 1000, "x: all series"), (x * np.nan, "x: missing")):
        now = np.where(np.arange(T) >= FIT, broken, x)
        assert expected in looked_at(model, y, now), expected


def test_series_that_are_silent_or_new(model: ft.SeasonalES) -> None:
    y, x = values()
    later = frame(y, x, FIT, ids=("s0", "s1", "s2", "new"))
    found = ft.monitor(model, later)
    assert [check.name for check in found.alarms] == ["silent series"]
    assert "'s3'" in found.to_text()
    assert "'new'" in found.to_text()


def test_too_few_rows_are_said(model: ft.SeasonalES) -> None:
    y, x = values()
    short = frame(y, x, FIT).groupby("unique_id").head(5)
    found = ft.monitor(model, short)
    assert found.verdict == "unknown"
    assert "5 steps came after the fit, and 24 are needed" in found.to_text()
    old = frame(y, x).groupby("unique_id").head(FIT)
    with pytest.raises(DataError, match="there is no new row to look at"):
        ft.monitor(model, old)


def test_beside_a_backtest(model: ft.SeasonalES) -> None:
    y, x = values()
    part = ft.Panel.from_frame(frame(y, x), id="unique_id", time="ds", target="y", past=["x"]).head([FIT] * SERIES)
    card = ft.backtest(ft.SeasonalES(h=DAY, season=DAY), part, n_windows=8, step=DAY + 1, baselines=False)
    name = "errors beside the backtest's"
    found = {check.name: check for check in ft.monitor(model, frame(y, x), against=card).checks}
    assert not found[name].alarm
    y[:, FIT:] += 3
    found = {check.name: check for check in ft.monitor(model, frame(y, x), against=card).checks}
    assert found[name].alarm
    assert found[name].value > 1.5


def test_an_unfitted_model_and_a_wrong_alpha(model: ft.SeasonalES) -> None:
    y, x = values()
    with pytest.raises(ConfigError, match="is not fitted"):
        ft.monitor(ft.SeasonalES(h=DAY), frame(y, x))
    with pytest.raises(ConfigError, match="alpha is a probability"):
        ft.monitor(model, frame(y, x), alpha=0)


def test_means_alone_are_not_tested() -> None:
    y, x = values()
    panel = ft.Panel.from_frame(frame(y, x), id="unique_id", time="ds", target="y", past=["x"])
    until = panel.grid.output_times([FIT - 1])[0]
    found = ft.monitor(ft.SeasonalNaive(h=DAY, season=DAY).fit(panel, until=until, intervals=False), panel)
    assert "The errors are not tested" in found.to_text()
    assert found.figures["mae"] > 0


# -------------------------------------------------------------------- the parts
def test_holm_is_that_of_a_loop() -> None:
    p = [0.03, 0.001, 0.2, 0.011]
    found = [check.adjusted for check in with_alarms([Check("input", "", "", p=one) for one in p], 0.05)]
    expected, highest = {}, 0.0
    for rank, k in enumerate(np.argsort(p)):
        highest = max(highest, (len(p) - rank) * p[k])
        expected[int(k)] = highest
    assert found == pytest.approx([expected[k] for k in range(len(p))])


def test_ranks_count_ties_against_an_alarm() -> None:
    values = np.array([[3.0, 1, 2, 3], [5.0, 1, 2, 3]])
    loop = [[np.mean(row >= one) for one in row] for row in values]
    assert _ranked(values).tolist() == loop


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).standard_normal((3, 30))
    values[1, ::3] = np.nan
    expected = [np.nanquantile(row, np.arange(1, 20) / 20) for row in values]
    np.testing.assert_allclose(_quantiles(values, 5), expected)


def _table(y: np.ndarray) -> Table:
    return Table("y", y, FIT, np.full(len(y), T))


def test_false_alarms_of_columns_are_rare() -> None:
    """Walks, seasons, rare events and heavy tails: of 120 draws without a change few raise the alarm."""
    t, alarms = np.arange(T), 0
    for seed in range(30):
        e = np.random.default_rng(seed).standard_normal((3, T))
        for y in (e.cumsum(axis=1), 3 * np.sin(2 * np.pi * t / DAY) + e, (e > 1.6) * 1.0, np.exp(e)):
            alarms += any(check.alarm for check in with_alarms(drift(_table(y), [DAY, 1], NAMES[:3]), 0.025))
            alarms += bool(faults(_table(y), NAMES[:3], np.ones(3, dtype=bool)))
    assert alarms <= 8  # 2.5 % of 120 are 3


def test_a_column_of_rare_counts_is_not_stuck() -> None:
    rare = np.zeros((1, T))
    rare[0, 50:FIT:120] = 1
    assert not faults(_table(rare), ("s0",), np.ones(1, dtype=bool))


def test_a_table_that_begins_after_the_rows_that_are_known(model: ft.SeasonalES) -> None:
    y, x = values()
    found = ft.monitor(model, frame(y, x, FIT + 20))
    assert found.verdict == "unknown"
    assert "what lies between is not known. Give the rows between too." in found.to_text()


def test_many_series_with_a_bias_that_matters_to_nobody() -> None:
    days, generator = pd.date_range("2024-01-01", periods=200), np.random.default_rng(5)
    counts = [generator.poisson(1 + k % 4, 200) + 0.05 * (np.arange(200) > 150) for k in range(250)]
    table = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{k}" for k in range(250)], 200),
            "ds": np.tile(days, 250),
            "y": np.concatenate(counts),
        }
    )
    panel = ft.Panel.from_frame(table, id="unique_id", time="ds", target="y")
    model = ft.SeasonalMean(h=7, season=7).fit(panel, until="2024-05-30")
    assert ft.monitor(model, panel).verdict == "fine"

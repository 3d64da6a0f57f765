from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

from foretide.data.panel import Names, Panel
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, DataError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.metrics.table import METRICS
from foretide.evaluation.score import score
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.simple.baselines import Drift, Persistence, SeasonalMean, SeasonalNaive

H = 5
STEPS = [79, 83, 90]


def panel_() -> Panel:
    return make_panel((100, 96, 90), targets=2, first=(0, 0, 4))


def forecasts(panel: Panel, steps: list[int] = STEPS) -> list[Forecast]:
    models = [Persistence(H), SeasonalNaive(H, 7), SeasonalMean(H, 7, 4, alias="steady")]
    cutoffs = times(panel, steps)
    made = [m.fit(panel, until=cutoffs[0]).predict(panel, cutoffs, levels=()) for m in models]
    return [*made[:2], replace(made[2], baseline=False)]


def around_truth(panel: Panel, like: Forecast, noise: float, model: str = "mine") -> Forecast:
    rng = np.random.default_rng(0)
    return replace(like, model=model, baseline=False, mean=like.truth() + noise * rng.normal(size=like.mean.shape))


def scored(**options: Any) -> Scorecard:
    panel = panel_()
    return score(forecasts(panel), season=7, **options)


def long(panel: Panel, made: list[Forecast]) -> pd.DataFrame:
    """All points in a frame, built row by row."""
    rows = []
    for forecast in made:
        for w, (i, c) in enumerate(zip(forecast.windows.entity, forecast.windows.cutoff, strict=True)):
            for k in range(H):
                for d in range(panel.n_targets):
                    inside = c + 1 + k < panel.length[i]
                    truth = panel.rows(i)[c + 1 + k, d] if inside else np.nan
                    name = panel.series_name(int(i), d)
                    rows.append((forecast.model, name, k + 1, truth, forecast.mean[w, k, d]))
    return pd.DataFrame(rows, columns=["model", "unique_id", "h_step", "y", "f"]).dropna()


@pytest.mark.parametrize("metric", ["rmse", "mae", "bias", "smape", "mse"])
def test_every_grouping_agrees_with_pandas(metric: str) -> None:
    panel = panel_()
    made = forecasts(panel)
    scores, frame = score(made), long(panel, made)

    def value(part: pd.DataFrame) -> float:
        return float(METRICS[metric](part["y"].to_numpy(), part["f"].to_numpy()))

    for model, part in frame.groupby("model"):
        assert scores.value(str(model), metric) == pytest.approx(value(part), rel=1e-12)
        for scope, table in (("h_step", scores.by_step(metric)), ("unique_id", scores.by_series(metric))):
            for key, group in part.groupby(scope):
                assert table.set_index(scope).loc[key, model] == pytest.approx(value(group), rel=1e-12)


@pytest.mark.parametrize(("metric", "power"), [("mase", 1), ("rmsse", 2)])
def test_scaled_metrics_are_means_over_series(metric: str, power: int) -> None:
    panel = panel_()
    made = forecasts(panel)
    scores = score(made, season=7, train_until=times(panel, [70])[0])
    values = []
    for name, part in long(panel, made[:1]).groupby("unique_id"):
        i, d = panel.series.index(str(name)) // 2, panel.series.index(str(name)) % 2
        train = panel.rows(i)[: 71 - panel.first[i], d]
        scale = np.mean(np.abs(train[7:] - train[:-7]) ** power)
        values.append((np.mean(np.abs(part["f"] - part["y"]) ** power) / scale) ** (1 / power))
    assert scores.value("Persistence", metric) == pytest.approx(np.mean(values), rel=1e-12)
    expected = dict(zip(panel.series, values, strict=False))
    for name, value in scores.by_series(metric).set_index("unique_id")["Persistence"].items():
        assert value == pytest.approx(dict(zip(sorted(expected), values, strict=True))[name], rel=1e-12)


def test_leaderboard() -> None:
    panel = panel_()
    made = forecasts(panel)
    made.append(around_truth(panel, made[0], 0.5))
    board = score(made).leaderboard()
    of_means = [name for name, metric in METRICS.items() if metric.quantiles is None and not metric.counts]
    assert list(board.columns) == [
        "model", "kind", *of_means, "skill_vs_best_baseline", "best_baseline", "series_won", "median_series_skill",
        "p_vs_best_baseline", "fold_sd", "p95_fold", "worst_fold",
    ]  # fmt: skip
    assert board["rmse"].is_monotonic_increasing
    assert board["model"][0] == "mine"
    kinds = board.set_index("model")["kind"].to_dict()
    assert kinds == {"mine": "model", "steady": "model", "Persistence": "baseline", "SeasonalNaive": "baseline"}
    assert set(board["best_baseline"]) == {"SeasonalNaive"}
    best = board.set_index("model")["rmse"]["SeasonalNaive"]
    np.testing.assert_allclose(board["skill_vs_best_baseline"], 1 - board["rmse"] / best)


def test_verdicts() -> None:
    panel = panel_()
    made = forecasts(panel)[:2]
    assert "SeasonalNaive is the best of the baselines (RMSE" in score(made).verdict()
    good, bad = around_truth(panel, made[0], 0.5), around_truth(panel, made[0], 50)
    assert score([*made, good]).verdict().startswith("mine beats the best simple baseline (SeasonalNaive) by 6")
    assert "mine does not beat the best simple baseline (SeasonalNaive): it is" in score([*made, bad]).verdict()
    assert "their RMSE is equal" in score([*made, replace(made[1].renamed("twin"), baseline=False)]).verdict()
    best = replace(made[1], baseline=False)
    for share, said in (
        (2e-4, "differs by less than 0.1 %"),
        (-2e-4, "differs by less than 0.1 %"),
        (0.01, "beats the"),
    ):
        hair = replace(best.renamed("hair"), mean=best.mean + share * np.nan_to_num(best.truth() - best.mean))
        assert said in score([*made, hair]).verdict()
    assert "no baseline was scored" in score([good]).verdict()
    perfect = replace(around_truth(panel, made[0], 0.0, "SeasonalNaive"), baseline=True)
    assert "makes no error; mine cannot beat it" in score([perfect, good]).verdict()
    assert "Scorecard(3 models, 9 windows, 3 cutoffs; mine beats" in repr(score([*made, good]))


def test_baselines_can_be_named() -> None:
    made = forecasts(panel_())
    assert score(made, baselines=["steady"]).best_baseline == "steady"
    assert score(made, baselines=[]).best_baseline is None
    assert "skill_vs_best_baseline" not in score(made, baselines=[]).leaderboard()
    with pytest.raises(ConfigError, match=r"'stedy' was not among the forecasts\. Did you mean 'steady'"):
        score(made, baselines=["stedy"])


@pytest.mark.parametrize("as_array", [True, False])
def test_ratio_to_the_oracle(as_array: bool) -> None:
    panel = panel_()
    made = forecasts(panel)
    best = around_truth(panel, made[0], 0.1)
    scores = score(made, oracle=best.mean if as_array else best)
    board = scores.leaderboard().set_index("model")
    assert board["kind"]["oracle"] == "oracle"
    np.testing.assert_allclose(board["ratio_to_oracle"], board["rmse"] / board["rmse"]["oracle"])
    assert "times the oracle's." in scores.verdict()
    assert "oracle" not in scores.models
    with pytest.raises(ConfigError, match="The oracle has shape"):
        score(made, oracle=best.mean[1:])


# ---------------------------------------------------------------- the same points for everybody
def test_only_shared_windows_count() -> None:
    panel = panel_()
    cutoffs = times(panel, STEPS)
    first = Persistence(H).fit(panel).predict(panel, cutoffs)
    other = Drift(H).fit(panel).predict(panel, [cutoffs[2], cutoffs[0]])
    scores = score([first, other])
    assert len(scores.windows) == 6
    assert sorted(set(scores.windows.steps(panel).tolist())) == [STEPS[0], STEPS[2]]
    same = score([Persistence(H).fit(panel).predict(panel, [cutoffs[0], cutoffs[2]])])
    assert scores.value("Persistence") == same.value("Persistence")
    assert any("3 of 9 windows of Persistence left out" in note for note in scores.notes)


def test_order_of_windows_does_not_matter() -> None:
    panel = panel_()
    made = forecasts(panel)
    turned = replace(made[1], windows=made[1].windows[::-1], mean=made[1].mean[::-1])
    assert score([made[0], turned]).leaderboard().equals(score(made[:2]).leaderboard())


def test_forecasts_of_a_part_of_the_panel_find_their_truth() -> None:
    panel = panel_()
    cutoffs = times(panel, STEPS)
    model = SeasonalNaive(H, 7).fit(panel, until=cutoffs[0])
    whole = score([model.predict(panel, cutoffs)])
    part = score([model.predict(panel.take([2, 0, 1]), cutoffs)], panel)
    assert part.by_series().equals(whole.by_series())
    seen = model.predict(panel.until(cutoffs[-1]), cutoffs)
    assert score([seen], panel).value("SeasonalNaive") == whole.value("SeasonalNaive")


@pytest.mark.parametrize("grid", [Grid(10, 2), Grid(pd.Timestamp("2024-03-18"), "h", "Europe/Berlin")], ids=str)
def test_integer_time_and_time_zones(grid: Grid) -> None:
    panel = replace(panel_(), grid=grid)
    board = score(forecasts(panel), season=7).leaderboard()
    pd.testing.assert_frame_equal(board, scored().leaderboard())
    moved = replace(panel, grid=replace(grid, start=grid.times([-3])[0]), first=panel.first + 3)
    pd.testing.assert_frame_equal(score(forecasts(panel), moved, season=7).leaderboard(), board)


def test_no_shared_window() -> None:
    panel = panel_()
    made = [forecasts(panel, [79])[0], forecasts(panel, [83])[1]]
    with pytest.raises(DataError, match="share no window"):
        score(made)


def test_missing_truth_and_missing_forecasts_are_left_out_for_all_and_counted() -> None:
    panel = panel_()
    values = panel.values.copy()
    values[85, 0] = np.nan
    panel = panel.with_values(values)
    made = forecasts(panel)
    hole = made[1].mean.copy()
    hole[0, 0, 1] = np.nan
    made[1] = replace(made[1], mean=hole)
    scores = score(made)
    observed = ~np.isnan(made[0].truth())
    counted = ~np.isnan(scores.truth)
    assert counted.sum() == observed.sum() - 1
    assert any("their truth is not observed" in note for note in scores.notes)
    assert any("SeasonalNaive has no forecast there" in note for note in scores.notes)
    error = (made[0].mean - made[0].truth())[counted]
    assert scores.value("Persistence") == pytest.approx(np.sqrt(np.mean(error**2)))


def test_nothing_left() -> None:
    panel = panel_()
    empty = forecasts(panel)[0]
    empty = replace(empty, mean=np.full_like(empty.mean, np.nan))
    with pytest.raises(DataError, match=r"No point is left to score\..*Persistence has no forecast there"):
        score([empty])


def test_constant_series_are_said_to_be_dropped() -> None:
    panel = panel_()
    values = panel.values.copy()
    values[:80, 1] = 2.0
    values[80:100, 1] = 0.0
    scores = score(forecasts(panel.with_values(values)), season=7)
    assert any("1 of 6 series left out of MASE and RMSSE ('shop0/y1')" in note for note in scores.notes)
    assert any("points left out of MAPE: their truth is near zero" in note for note in scores.notes)
    assert np.isnan(scores.by_series("mase").set_index("unique_id").loc["shop0/y1", "Persistence"])
    assert np.isfinite(scores.leaderboard()["mase"]).all()


def test_the_default_training_part_ends_at_the_first_cutoff() -> None:
    panel = panel_()
    made = forecasts(panel)
    given = score(made, season=7, train_until=times(panel, [STEPS[0]])[0])
    assert score(made, season=7).value("Persistence", "mase") == given.value("Persistence", "mase")
    assert scored().scale.season == 7


def test_long_frame() -> None:
    scores = scored()
    frame = scores.figures()
    assert list(frame.columns) == ["model", "scope", "key", "metric", "value"]
    assert not frame.duplicated(["model", "scope", "key", "metric"]).any()
    chosen = frame.query("model == 'Persistence' and scope == 'h_step' and key == '3' and metric == 'mae'")
    assert chosen["value"].item() == scores.by_step("mae").set_index("h_step").loc[3, "Persistence"]
    whole = frame.query("model == 'steady' and scope == 'all' and metric == 'rmsse'")
    assert whole["value"].item() == scores.value("steady", "rmsse")


@pytest.mark.frames
def test_frames_are_of_the_kind_the_panel_came_from() -> None:
    polars = pytest.importorskip("polars")
    panel = replace(panel_(), names=Names(id="shop", backend="polars"))
    scores = score(forecasts(panel))
    assert isinstance(scores.leaderboard(), polars.DataFrame)
    assert scores.by_series().columns[0] == "shop"


def test_clear_errors() -> None:
    panel = panel_()
    made = forecasts(panel)
    with pytest.raises(ConfigError, match="no forecast to score"):
        score([])
    with pytest.raises(ConfigError, match="needs a name of its own"):
        score([made[0], made[0]])
    shorter = Persistence(3, alias="short").fit(panel).predict(panel, times(panel, STEPS))
    with pytest.raises(ConfigError, match="short forecasts 3 steps of 2 targets, Persistence 5 of 2"):
        score([made[0], shorter])
    with pytest.raises(ConfigError, match=r"No model 'Persistance' was scored\. Did you mean 'Persistence'"):
        score(made).value("Persistance")
    with pytest.raises(DataError, match="Score it on the panel it belongs to"):
        score(made, replace(panel, targets=("a", "b")))
    with pytest.raises(DataError, match="has no entity 'shop2'"):
        score(made, panel.take([0, 1]))

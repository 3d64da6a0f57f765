from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.time.grid import Grid
from foretide.errors import ArtifactError, ConfigError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.compare.tests import diebold_mariano
from foretide.evaluation.rolling.backtest import backtest
from foretide.forecasters.simple.baselines import Drift, Persistence, SeasonalES, SeasonalMean, SeasonalNaive

H = 4
LENGTHS, FIRST = (160, 160, 150), (0, 0, 5)
MODELS = ("Persistence", "SeasonalNaive", "SeasonalMean", "Drift", "ES")


class ES(SeasonalES):
    """A class of its own that is no baseline."""

    baseline = False


@cache
def card() -> Scorecard:
    panel = make_panel(LENGTHS, targets=2, first=FIRST, missing=0.03, seed=4)
    models = [Persistence(H), SeasonalNaive(H), SeasonalMean(H, cycles=4), Drift(H), ES(H)]
    return backtest(models, panel, n_windows=24, step=3, baselines=False, levels=(), quantiles=())


class Points:
    """Somebody else's model, which gives means only."""

    h, name, baseline = H, "Persistence", True

    def fit(self, panel: Panel, *, until: Any = None) -> None:
        self.model = Persistence(H).fit(panel, until, intervals=False)

    def predict(self, panel: Panel, cutoffs: Any) -> Any:
        return self.model.predict(panel, cutoffs)


@cache
def distributions() -> Scorecard:
    panel = make_panel(LENGTHS, first=FIRST, seed=5, whole=True)
    models = [SeasonalES(H, alias="ES"), SeasonalNaive(H), Points()]
    return backtest(models, panel, n_windows=24, step=3, baselines=False)


def frame() -> pd.DataFrame:
    return card().to_frame()


# ---------------------------------------------------------------- frames
def test_tidy_frame() -> None:
    made, panel = frame(), card().panel
    assert list(made.columns) == ["unique_id", "ds", "cutoff", "h_step", "y", *MODELS]
    assert made["y"].notna().all()
    assert not made.duplicated(["unique_id", "ds", "cutoff"]).any()
    np.testing.assert_array_equal((made["ds"] - made["cutoff"]).dt.days, made["h_step"])
    truth = panel.to_frame().melt(["unique_id", "ds"], value_name="truth", var_name="target")
    truth["unique_id"] += "/" + truth.pop("target")
    together = made.merge(truth, on=["unique_id", "ds"])
    assert len(together) == len(made)
    np.testing.assert_array_equal(together["y"], together["truth"])
    whole = card().to_frame(all_points=True)
    assert len(whole) == card().truth.size > len(made)
    assert whole["y"].notna().sum() == len(made)


def test_a_model_that_gives_means_only_is_named() -> None:
    assert "Persistence: means only, no intervals, and no score that needs them." in distributions().notes
    assert not any("means only" in note for note in card().notes)


def test_tidy_frame_has_intervals() -> None:
    made = distributions().to_frame()
    assert list(made.columns[5:]) == [
        "ES", "ES-lo-95", "ES-lo-80", "ES-hi-80", "ES-hi-95",
        "SeasonalNaive", "SeasonalNaive-lo-95", "SeasonalNaive-lo-80", "SeasonalNaive-hi-80", "SeasonalNaive-hi-95",
        "Persistence",
    ]  # fmt: skip
    assert list(distributions().to_frame(levels=(60,)).columns[5:8]) == ["ES", "ES-lo-60", "ES-hi-60"]


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "mape", "smape", "bias"])
def test_the_fields_tools_read_the_frame_unchanged(metric: str) -> None:
    evaluation = pytest.importorskip("utilsforecast.evaluation")
    import utilsforecast.losses as losses

    found = evaluation.evaluate(frame(), [getattr(losses, metric)], models=list(MODELS))
    found = found.set_index(["unique_id", "cutoff"])
    twin = card().scores(metric, by=["series", "cutoff"]).set_index(["unique_id", "cutoff"])
    assert len(found) == len(twin) > 100
    factor = {"mape": 100.0, "smape": 200.0}.get(metric, 1.0)
    for model in MODELS:
        np.testing.assert_allclose(found[model] * factor, twin[model].reindex(found.index), rtol=1e-9, atol=1e-12)


def test_intervals_are_read_by_the_fields_tools() -> None:
    evaluation = pytest.importorskip("utilsforecast.evaluation")
    import utilsforecast.losses as losses

    found = evaluation.evaluate(distributions().to_frame(), [losses.coverage], models=["ES"], level=[80])
    twin = distributions().scores("coverage_80", by=["series", "cutoff"]).set_index(["unique_id", "cutoff"])
    found = found.set_index(["unique_id", "cutoff"])
    np.testing.assert_allclose(found["ES"], twin["ES"].reindex(found.index), atol=1e-12)


# ---------------------------------------------------------------- folds and series
def test_figures_by_fold() -> None:
    folds = card().folds("mae").set_index("cutoff")
    assert len(folds) == 24
    by_hand = frame().assign(e=lambda t: (t["ES"] - t["y"]).abs()).groupby("cutoff")["e"].mean()
    np.testing.assert_allclose(folds["ES"], by_hand)
    summary = card().fold_summary("mae").set_index("model").loc["ES"]
    assert summary["mean"] == pytest.approx(by_hand.mean())
    assert summary["sd"] == pytest.approx(by_hand.std())
    assert summary["p95"] == pytest.approx(np.percentile(by_hand, 95))
    assert (summary["worst"], summary["worst_cutoff"]) == (by_hand.max(), by_hand.idxmax())
    assert (summary["best"], summary["n_folds"]) == (by_hand.min(), 24)


def test_skill_against_the_best_baseline_of_each_series() -> None:
    made = frame()
    errors = pd.DataFrame({
        model: ((made[model] - made["y"]) ** 2).groupby(made["unique_id"]).mean() ** 0.5 for model in MODELS
    })  # fmt: skip
    names = list(card().baselines)
    assert set(names) == {"Persistence", "SeasonalNaive", "SeasonalMean", "Drift"}
    skill = card().skill_by_series().set_index("unique_id")
    np.testing.assert_allclose(skill["baseline_error"], errors[names].min(axis=1))
    assert list(skill["best_baseline"]) == list(errors[names].idxmin(axis=1))
    np.testing.assert_allclose(skill["ES"], 1 - errors["ES"] / errors[names].min(axis=1))
    assert (skill[names] <= 0).all(axis=None)
    board = card().leaderboard().set_index("model")
    assert board["series_won"]["ES"] == (skill["ES"] > 0).mean()
    assert board["median_series_skill"]["ES"] == skill["ES"].median()


def test_a_leaderboard_belongs_to_who_asked_for_it() -> None:
    first, second = (card().leaderboard() for _ in range(2))
    first["model"] = "mine"
    assert "mine" not in set(second["model"]) | set(card().leaderboard()["model"])


def test_leaderboard_holds_folds_tests_and_costs() -> None:
    board = card().leaderboard().set_index("model")
    folds = card().fold_summary().set_index("model")
    np.testing.assert_allclose(board["worst_fold"], folds["worst"].reindex(board.index))
    np.testing.assert_allclose(board["p95_fold"], folds["p95"].reindex(board.index))
    best = card().best_baseline
    assert np.isnan(board["p_vs_best_baseline"][best])
    assert board["p_vs_best_baseline"]["ES"] == card().compare("ES", str(best)).p_value
    assert (board["fits"] == 1).all()
    assert (board[["fit_seconds", "predict_seconds"]] >= 0).all(axis=None)
    assert board["predict_seconds"].sum() > 0


# ---------------------------------------------------------------- tests
@pytest.mark.parametrize("metric", [None, "mae", "rmse", "mase"])
def test_compare_tests_the_mean_losses_by_cutoff(metric: str | None) -> None:
    found = card().compare("ES", "Persistence", metric)
    made = frame()
    if metric == "mase":
        scale = dict(zip(card().panel.series, card().scale.mae.reshape(-1), strict=True))
        unit = made["unique_id"].map(scale)
        losses = [(made[m] - made["y"]).abs() / unit for m in ("ES", "Persistence")]
    else:
        power = 1 if metric == "mae" else 2
        losses = [(made[m] - made["y"]).abs() ** power for m in ("ES", "Persistence")]
    a, b = (x.groupby(made["cutoff"]).mean().to_numpy() for x in losses)
    twin = diebold_mariano(a, b, h=2)  # four steps ahead, three apart: neighbours overlap
    assert found.overlap == card().plan.overlap == 2
    assert found.test is not None
    assert found.p_value == pytest.approx(twin.p_value, rel=1e-9)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.relative == pytest.approx((a - b).mean() / b.mean())
    assert found.interval == pytest.approx(twin.interval(95))
    assert found.bootstrap is not None
    assert found.bootstrap[0] < found.difference < found.bootstrap[1]
    assert "than that of Persistence, which is" in str(found)
    assert ("no more than chance" in str(found)) == (found.p_value >= 0.05)


@pytest.mark.parametrize(("other", "clear_ones"), [("Drift", 6), ("SeasonalNaive", 1)])
def test_compare_by_series_is_corrected_for_their_number(other: str, clear_ones: int) -> None:
    table = card().compare("ES", other, "mae", by="series").set_index("unique_id")
    made = frame()
    for name, part in made.groupby("unique_id"):
        cut = part.groupby("cutoff")
        a, b = (cut.apply(lambda g, m=m: (g[m] - g["y"]).abs().mean(), include_groups=False) for m in ("ES", other))
        assert table["p_value"][name] == pytest.approx(diebold_mariano(a, b, h=2).p_value, rel=1e-9)
    assert (table["p_holm"] >= table["p_value"]).all()
    clear = table["p_holm"] < 0.05
    assert clear.sum() == clear_ones
    assert (table["better"][clear] == np.where(table["difference"][clear] < 0, "ES", other)).all()
    assert (table["better"][~clear] == "").all()


def test_compare_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(ConfigError, match="No model 'Es' was scored. Did you mean 'ES'"):
        card().compare("Es", "Drift")
    with pytest.raises(ConfigError, match="Persistence has no wql"):
        distributions().compare("Persistence", "ES", "wql")
    with pytest.raises(ConfigError, match="A comparison needs a loss, of which less is better; coverage_80 is none"):
        distributions().compare("SeasonalNaive", "ES", "coverage_80")
    with pytest.raises(ConfigError, match="by is None"):
        card().compare("ES", "Drift", by="bucket")


def test_few_cutoffs_are_not_tested() -> None:
    few = backtest([Persistence(H), SeasonalES(H)], make_panel((120,)), n_windows=5, step=3)
    found = few.compare("Persistence", "SeasonalES")
    assert found.test is None
    assert np.isnan(found.p_value)
    assert "5 cutoffs are too few to test whether that is chance" in str(found)


def test_ranks_over_series() -> None:
    from scipy.stats import rankdata

    made = card().ranks("mase")
    table = card().scores("mase", by="series")[list(MODELS)].to_numpy()
    ranks = np.mean([rankdata(row) for row in table], axis=0)
    np.testing.assert_allclose(made.mean_ranks, np.sort(ranks))
    assert made.names[0] == MODELS[int(np.argmin(ranks))]
    with pytest.raises(ConfigError, match="Models are ranked by a loss"):
        card().ranks("bias")


def test_variance_of_seeds() -> None:
    made = card().variance(["SeasonalMean", "ES"], "mae")
    assert {"seed", "fold", "series"} <= set(made["source"])
    assert made.set_index("source")["share"].drop("total").sum() == pytest.approx(1)


# ---------------------------------------------------------------- words
def test_verdict_says_more_than_the_mean() -> None:
    text = card().verdict()
    won = (card().series_skill["ES"] > 0).mean()
    assert f"ES beats the best baseline of the series itself on {100 * won:.0f} % of 6 series." in text
    assert "Over 24 cutoffs the difference is" in text
    panel = make_panel(LENGTHS)
    bad = backtest([Persistence(H, alias="good"), Drift(H, alias="mine")], panel, n_windows=12, step=3)
    assert "does not beat the best simple baseline" in backtest(_Lazy(H), panel, n_windows=12, step=3).verdict()
    assert bad.best_model is None
    assert "is the best of the baselines" in bad.verdict()


class _Lazy(Persistence):
    """The last value again, and no baseline."""

    baseline = False


def test_models_that_fall_behind_are_named() -> None:
    panel = make_panel((160,), seed=8)
    both = backtest([_Lazy(H), _Lazy(H, alias="other")], panel, n_windows=12, step=3)
    assert f"No better than {both.best_baseline}: " in both.verdict()


# ---------------------------------------------------------------- calibration
def test_reliability_and_pit() -> None:
    table = distributions().reliability("ES").set_index("level")
    distribution, truth = distributions().distributions.quantiles["ES"], distributions().distributions.truth
    for k, level in enumerate(distribution.levels):
        known = ~np.isnan(truth)
        assert table["below"][level] == pytest.approx((truth < distribution.values[..., k])[known].mean())
        assert table["at_or_below"][level] == pytest.approx((truth <= distribution.values[..., k])[known].mean())
    by_step = distributions().reliability("ES", by="h_step")
    assert list(by_step.columns[:2]) == ["h_step", "level"]
    assert len(by_step) == H * len(distribution.levels)
    pit = distributions().pit_histogram("ES")
    assert pit.observed.sum() == pytest.approx(1)
    with pytest.raises(ConfigError, match="Persistence has no quantiles"):
        distributions().reliability("Persistence")


def test_coverage_by_any_grouping() -> None:
    by_step = distributions().coverage(80, by=["bucket", "h_step"])
    assert list(by_step.columns) == ["bucket", "h_step", "ES", "SeasonalNaive"]
    assert by_step["ES"].between(0.5, 1).all()


def test_stock() -> None:
    table = distributions().stock(shortage_cost=9, holding_cost=1).set_index("model")
    distribution, truth = distributions().distributions.quantiles["ES"], distributions().distributions.truth
    stock = distribution.at((0.9,))[..., 0]
    known = ~np.isnan(truth)
    assert table["service_level"]["ES"] == pytest.approx((truth <= stock)[known].mean())
    cost = 9 * np.maximum(truth - stock, 0)[known].mean() + np.maximum(stock - truth, 0)[known].mean()
    assert table["cost"]["ES"] == pytest.approx(cost)
    by_series = distributions().stock(9, 1, by="series")
    assert len(by_series) == 2 * 3
    assert list(by_series.columns[:2]) == ["model", "unique_id"]
    with pytest.raises(ConfigError, match="No model has quantiles"):
        card().stock()


# ---------------------------------------------------------------- made from forecasts
def test_a_blend_of_forecasts() -> None:
    made = card().ensemble(["ES", "SeasonalNaive"], "mean", name="both")
    np.testing.assert_allclose(
        made.forecasts["both"], (card().forecasts["ES"] + card().forecasts["SeasonalNaive"]) / 2
    )  # fmt: skip
    assert "both" in made.leaderboard()["model"].tolist()
    assert np.isnan(made.leaderboard().set_index("model")["fits"]["both"])
    assert "both" not in card().forecasts
    weighted = card().ensemble(["ES", "Persistence"], "weights")
    assert weighted.value("weights(ES, Persistence)", "mse") < weighted.value("Persistence", "mse")
    distribution = distributions().ensemble(["ES", "SeasonalNaive"], "median", name="middle")
    assert "middle" in distribution.distributions.quantiles
    with pytest.raises(ConfigError, match="No model 'Nobody' was scored"):
        card().ensemble(["ES", "Nobody"])
    with pytest.raises(ConfigError, match="at least two models"):
        card().ensemble(["ES"])
    with pytest.raises(ConfigError, match="A model is called 'ES' already"):
        card().ensemble(["ES", "Drift"], name="ES")


def test_weights_of_a_blend_come_from_earlier_folds() -> None:
    made = card().ensemble(["ES", "Persistence"], "weights", name="w")
    cutoffs = made.windows.steps(made.panel)
    late = cutoffs >= np.unique(cutoffs)[12]
    from dataclasses import replace

    poisoned = replace(card(), truth=np.where(late[:, None, None], 1e6, card().truth))
    again = poisoned.ensemble(["ES", "Persistence"], "weights", name="w")
    np.testing.assert_array_equal(again.forecasts["w"][~late], made.forecasts["w"][~late])
    assert np.abs(again.forecasts["w"][late] - made.forecasts["w"][late]).max() > 0


@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_conformal_intervals_from_past_folds(method: Any) -> None:
    made = card().conformal("ES", method, by=["h_step"], levels=(80,))
    distribution = made.distributions.quantiles["ES-conformal"]
    inside = made.coverage(80).set_index("model")["coverage"]["ES-conformal"]
    assert 0.72 < inside < 0.90
    first = made.windows.steps(made.panel) == made.plan.folds[0].cutoff
    assert np.isnan(distribution.values[first]).all()
    assert any("points left out of the measures of distributions: ES-conformal" in note for note in made.notes)
    late = made.windows.steps(made.panel) >= made.plan.folds[15].cutoff
    from dataclasses import replace

    poisoned = replace(card(), truth=np.where(late[:, None, None], 1e6, card().truth))
    again = poisoned.conformal("ES", method, by=["h_step"], levels=(80,)).distributions.quantiles["ES-conformal"]
    np.testing.assert_array_equal(again.values[~late], distribution.values[~late])


def test_conformal_around_a_law_of_counts() -> None:
    made = distributions().conformal("ES", levels=(80,), name="c")
    values = made.distributions.quantiles["c"].values
    known = values[~np.isnan(values).any(axis=-1)]
    assert len(known)
    assert ((known >= 0) & (known == np.round(known))).all()
    assert (np.diff(known, axis=-1) >= 0).all()
    with pytest.raises(ConfigError, match="No model 'Es' was scored"):
        distributions().conformal("Es")


# ---------------------------------------------------------------- files
@pytest.mark.parametrize("which", ["plain", "distributions"])
def test_saved_and_loaded(which: str, tmp_path: Path) -> None:
    made = card() if which == "plain" else distributions()
    made.save(tmp_path / "card", page=False)
    assert sorted(p.name for p in (tmp_path / "card").iterdir()) == ["scorecard.json", "scorecard.parquet"]
    again = ft.Scorecard.load(tmp_path / "card")
    pd.testing.assert_frame_equal(again.leaderboard(), made.leaderboard())
    pd.testing.assert_frame_equal(again.to_frame(all_points=True), made.to_frame(all_points=True))
    pd.testing.assert_frame_equal(
        again.scores("mase", by=["series", "weekday"]), made.scores("mase", by=["series", "weekday"])
    )
    assert again.verdict() == made.verdict()
    assert again.plan == made.plan
    assert again.notes == made.notes
    assert [r.name for r in again.runs] == [r.name for r in made.runs]
    if which == "distributions":
        pd.testing.assert_frame_equal(again.reliability("ES"), made.reliability("ES"))


@pytest.mark.parametrize("kind", ["zone", "integer", "polars"])
def test_other_kinds_of_time_and_frame_come_back(kind: str, tmp_path: Path) -> None:
    n = 24 * 12
    y = np.sin(np.arange(n) / 24 * 2 * np.pi) + np.arange(n) / n
    if kind == "integer":
        panel = Panel(
            Grid(7, 3), ("",), y[:, None], np.zeros(1, np.int64), np.array([n]), np.zeros(1, np.int64), ("y",)
        )
    else:
        times = pd.date_range("2024-03-20", periods=n, freq="h", tz="Europe/Berlin" if kind == "zone" else None)
        table: Any = pd.DataFrame({"ds": times, "y": y})
        if kind == "polars":
            table = pytest.importorskip("polars").from_pandas(table)
        panel = Panel.from_wide(table, time="ds", target="y")
    made = backtest(SeasonalNaive(5), panel, n_windows=10, step=7)
    made.save(tmp_path / "card")
    again = Scorecard.load(tmp_path / "card")
    if kind == "polars":
        assert type(made.leaderboard()).__module__.startswith("polars")
        assert again.to_frame().equals(made.to_frame())
        assert made.skill_by_series().shape[0] == 1
        return
    pd.testing.assert_frame_equal(again.to_frame(), made.to_frame())
    pd.testing.assert_frame_equal(again.folds(), made.folds())


def test_cards_of_earlier_versions_are_read(tmp_path: Path) -> None:
    distributions().save(tmp_path)
    table = pd.read_parquet(tmp_path / "scorecard.parquet")
    table.rename(columns={"y-of-distributions": "y-of-laws"}).to_parquet(tmp_path / "scorecard.parquet")
    pd.testing.assert_frame_equal(Scorecard.load(tmp_path).leaderboard(), distributions().leaderboard())


def test_files_that_are_no_card(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no scorecard: scorecard\.json is missing"):
        Scorecard.load(tmp_path)
    card().save(tmp_path)
    table = pd.read_parquet(tmp_path / "scorecard.parquet")
    table.iloc[:-1].to_parquet(tmp_path / "scorecard.parquet")
    with pytest.raises(ArtifactError, match="rows, scorecard.json speaks of"):
        Scorecard.load(tmp_path)
    text = (tmp_path / "scorecard.json").read_text().replace('"format": 1', '"format": 9')
    (tmp_path / "scorecard.json").write_text(text)
    with pytest.raises(ArtifactError, match="was written in format 9"):
        Scorecard.load(tmp_path)


def test_a_notebook_shows_verdict_and_leaderboard() -> None:
    html = distributions()._repr_html_()
    assert distributions().verdict().split(" (")[0] in html
    for text in ("<th>coverage_80</th>", "<td>Persistence</td>", "<th>p_vs_best_baseline</th>"):
        assert text in html
    assert "<th>winkler_80</th>" not in html


def test_the_leaderboard_says_which_known_columns_a_model_does_not_use(tmp_path: Any) -> None:
    panel = make_panel((120,), future=2)
    values = panel.values.copy()
    values[:, 1] = np.arange(120) % 11 == 0  # marks events; the other column is no such thing
    panel = panel.with_values(values)
    models = [ft.SeasonalNaive(3, 7), ft.CalendarES(3), ft.Ridge(3, input_size=7, known="on")]
    card = ft.backtest(models, panel, n_windows=2, baselines=False)
    board = card.leaderboard().set_index("model")["unused"]
    assert dict(board) == {"SeasonalNaive": "f0, f1", "CalendarES": "f1", "Ridge": ""}
    assert any(note == "Known-ahead columns (f1) are not used by CalendarES." for note in card.notes)
    card.save(tmp_path / "card")
    pd.testing.assert_frame_equal(ft.Scorecard.load(tmp_path / "card").leaderboard(), card.leaderboard())
    plain = ft.backtest(ft.SeasonalNaive(3, 7), make_panel((120,)), n_windows=2, baselines=False)
    assert "unused" not in plain.leaderboard()

"""Scores of models with distributions: each figure again by hand from the forecasts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times
from scipy import stats

from foretide.data.panel import Panel
from foretide.errors import ConfigError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.metrics.quantiles import DECILES, DENSE, weighted_quantile_loss
from foretide.evaluation.rolling.backtest import backtest
from foretide.evaluation.score import score
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.levels import all_quantiles
from foretide.forecasters.simple.baselines import Persistence, SeasonalNaive

H = 4
STEPS = [149, 156, 163, 170, 177, 184]
MEANS = np.array([4.0, 0.15, 0.0])
"""Dense, sparse and always zero."""


def counts_panel() -> Panel:
    panel = make_panel((200, 200), targets=3)
    return panel.with_values(np.random.default_rng(0).poisson(MEANS, size=(400, 3)).astype(float))


def with_distribution(model: str, like: Forecast, scale: float, levels: tuple[float, ...] = DECILES) -> Forecast:
    """A Poisson distribution around ``scale`` times the true means."""
    at = all_quantiles((80, 95), levels)
    distribution = stats.poisson.ppf(np.array(at), scale * np.maximum(MEANS, 1e-9)[:, None])
    mean = np.broadcast_to(scale * MEANS, like.mean.shape)
    quantiles = np.broadcast_to(np.maximum(distribution, 0), (*like.mean.shape, len(at)))
    return replace(
        like,
        model=model,
        baseline=False,
        mean=mean,
        levels=(80.0, 95.0),
        quantile_levels=at,
        quantiles=quantiles.astype(float),
    )


@pytest.fixture(scope="module")
def naive() -> list[Forecast]:
    panel = counts_panel()
    cutoffs = times(panel, STEPS)
    made = (Persistence(H), SeasonalNaive(H, 7))
    return [m.fit(panel, until=cutoffs[0]).predict(panel, cutoffs, levels=()) for m in made]


@pytest.fixture(scope="module")
def scores(naive: list[Forecast]) -> Scorecard:
    made = [*naive, with_distribution("right", naive[0], 1.0), with_distribution("wide", naive[0], 1.5)]
    return score(made, oracle=with_distribution("any", naive[0], 1.0))


def test_the_leaderboard_of_counts(scores: Scorecard, naive: list[Forecast]) -> None:
    board = scores.leaderboard().set_index("model")
    columns = board.columns.tolist()
    assert columns[columns.index("winkler_80") : columns.index("series_won")] == [
        "winkler_80", "winkler_95", "width_80", "width_95", "zero_accuracy", "skill_vs_best_baseline", "best_baseline",
        "ratio_to_oracle", "wql_ratio_to_oracle",
    ]  # fmt: skip
    assert scores.main == "mse"
    assert board["mse"].is_monotonic_increasing
    truth = naive[0].truth()
    wide = with_distribution("wide", naive[0], 1.5)
    assert wide.quantiles is not None
    deciles = np.stack([wide.quantile(level) for level in DECILES], axis=-1)
    assert board["wql"]["wide"] == pytest.approx(weighted_quantile_loss(truth, deciles), rel=1e-12)
    low, high = wide.quantile(0.1), wide.quantile(0.9)
    assert board["coverage_80"]["wide"] == pytest.approx(np.mean((truth >= low) & (truth <= high)), rel=1e-12)
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    assert board["winkler_80"]["wide"] == pytest.approx(np.mean(high - low + 10 * outside), rel=1e-12)
    assert board["width_80"]["wide"] == pytest.approx(np.mean(high - low), rel=1e-12)
    median = wide.quantile(0.5)
    assert board["zero_accuracy"]["wide"] == pytest.approx(np.mean((median == 0) == (truth == 0)), rel=1e-12)
    # Points have no distribution: what needs one is not known of them.
    assert board.loc["Persistence", ["wql", "coverage_80", "winkler_95"]].isna().all()
    assert np.isfinite(board["zero_accuracy"]["Persistence"])
    assert "crps" not in board.columns
    least = min(board["mse"]["Persistence"], board["mse"]["SeasonalNaive"])
    np.testing.assert_allclose(board["skill_vs_best_baseline"], 1 - board["mse"] / least)
    np.testing.assert_allclose(board["ratio_to_oracle"], board["mse"] / board["mse"]["oracle"])
    assert board["wql_ratio_to_oracle"]["wide"] == pytest.approx(board["wql"]["wide"] / board["wql"]["right"])
    assert board["wql_ratio_to_oracle"]["right"] == 1


def test_buckets_by_hand(scores: Scorecard, naive: list[Forecast]) -> None:
    truth = naive[0].truth()
    table = scores.by_bucket("mse").set_index("bucket")
    assert table.index.tolist() == ["dense", "sparse", "ultra"]
    assert table["n_series"].tolist() == [2, 2, 2]
    for d, bucket in enumerate(table.index):
        expected = np.mean((naive[0].mean[..., d] - truth[..., d]) ** 2)
        assert table["Persistence"][bucket] == pytest.approx(expected, rel=1e-12)
    wql = scores.by_bucket("wql").set_index("bucket")
    distribution = with_distribution("wide", naive[0], 1.5)
    deciles = np.stack([distribution.quantile(level) for level in DECILES], axis=-1)
    assert wql["wide"]["sparse"] == pytest.approx(weighted_quantile_loss(truth[..., 1], deciles[..., 1, :]), rel=1e-12)
    # Nothing was ever sold in the last bucket: a loss in units of what was sold is not defined.
    assert np.isnan(wql["wide"]["ultra"])
    every = scores.by_bucket("mse", dense=0, ultra=0)
    assert every["bucket"].tolist() == ["dense"]
    assert every["n_series"].tolist() == [6]
    assert every["wide"][0] == pytest.approx(scores.value("wide", "mse"))


def test_buckets_follow_the_training_part_alone(naive: list[Forecast]) -> None:
    panel = counts_panel()
    values = panel.values.copy()
    for row in panel.row0:
        values[row + 150 : row + 200, 2] = 5.0
    later = panel.with_values(values)
    made = [replace(f, panel=later) for f in naive]
    table = score(made, train_until=times(panel, [149])[0]).by_bucket("mse")
    assert table["bucket"].tolist() == ["dense", "sparse", "ultra"]


def test_coverage_by_anything(scores: Scorecard, naive: list[Forecast]) -> None:
    truth, distribution = naive[0].truth(), with_distribution("wide", naive[0], 1.5)
    inside = (truth >= distribution.quantile(0.025)) & (truth <= distribution.quantile(0.975))
    whole = scores.coverage(95)
    assert list(whole.columns) == ["model", "level", "coverage", "width"]
    assert whole["model"].tolist() == ["right", "wide", "oracle"]
    assert whole.set_index("model")["coverage"]["wide"] == pytest.approx(inside.mean())
    step = scores.coverage(95, by="h_step").set_index("h_step")["wide"]
    np.testing.assert_allclose(step, inside.mean(axis=(0, 2)))
    series = scores.coverage(95, by="series")
    assert list(series.columns) == ["unique_id", "right", "wide", "oracle"]
    assert series.set_index("unique_id")["wide"]["shop1/y0"] == pytest.approx(
        inside[distribution.windows.entity == 1][..., 0].mean()
    )
    bucket = scores.coverage(95, by="bucket").set_index("bucket")["wide"]
    np.testing.assert_allclose(bucket, inside.mean(axis=(0, 1)))
    with pytest.raises(ConfigError, match=r"No model holds the quantiles \(0\.25, 0\.75\) of a 50 % interval"):
        scores.coverage(50)
    with pytest.raises(ConfigError, match=r"no grouping 'hstep'\. Did you mean 'h_step'"):
        scores.coverage(80, by="hstep")


def test_the_verdict_speaks_of_both_figures(naive: list[Forecast]) -> None:
    right, wide = with_distribution("right", naive[0], 1.0), with_distribution("SeasonalNaive", naive[0], 1.5)
    wide = replace(wide, baseline=True)
    text = score([wide, right]).verdict()
    assert text.startswith("right beats the best simple baseline (SeasonalNaive) by ")
    assert "in MSE. In weighted quantile loss right (0." in text
    assert ") beats SeasonalNaive by " in text
    mine, naive_distribution = (
        replace(wide, model="mine", baseline=False),
        replace(right, model="SeasonalNaive", baseline=True),
    )
    worse = score([mine, naive_distribution], oracle=right).verdict()
    assert "mine does not beat the best simple baseline (SeasonalNaive): it is" in worse
    assert "does not beat SeasonalNaive: it is" in worse
    assert "times the oracle's." in worse.split("In weighted")[1]


def test_crps_only_from_dense_grids_and_one_grid_for_all(naive: list[Forecast]) -> None:
    dense = with_distribution("dense", naive[0], 1.0, DENSE)
    finer = with_distribution("finer", naive[0], 1.0, tuple(np.arange(1, 200) / 200))
    few = with_distribution("few", naive[0], 1.0)
    found = score([dense, finer, few])
    board = found.leaderboard().set_index("model")
    assert board["crps"]["dense"] == board["crps"]["finer"]
    assert np.isnan(board["crps"]["few"])
    assert any("No CRPS for 'few': fewer than 49 quantile levels" in note for note in found.notes)
    k, truth = np.arange(60), naive[0].truth()
    cdf = stats.poisson.cdf(k, MEANS[:, None])
    slow = np.mean([((cdf[d] - (k >= truth[..., d, None])) ** 2).sum(-1).mean() for d in range(3)])
    assert board["crps"]["dense"] == pytest.approx(slow, rel=0.01)


def test_grids_that_share_too_little_have_no_crps(naive: list[Forecast]) -> None:
    one = with_distribution("one", naive[0], 1.0, tuple(np.arange(1, 60) / 60))
    other = with_distribution("other", naive[0], 1.0, tuple(np.arange(1, 61) / 61))
    found = score([one, other])
    assert "crps" not in found.leaderboard()
    assert any("share only" in note for note in found.notes)


def test_points_without_quantiles_are_left_out_for_all_laws_and_counted(naive: list[Forecast]) -> None:
    right, wide = with_distribution("right", naive[0], 1.0), with_distribution("wide", naive[0], 1.5)
    assert wide.quantiles is not None
    values = wide.quantiles.copy()
    values[0] = np.nan
    found = score([right, replace(wide, quantiles=values)])
    rest = score([right])
    assert any("12 of 144 points left out of the measures of distributions: wide" in note for note in found.notes)
    assert found.value("right", "mse") == rest.value("right", "mse")
    assert found.value("right", "wql") != rest.value("right", "wql")
    values[:] = np.nan
    gone = score([right, replace(wide, quantiles=values)])
    assert gone.value("right", "wql") == rest.value("right", "wql")
    assert np.isnan(gone.value("wide", "wql"))
    assert any("wide has no quantiles on the points scored" in note for note in gone.notes)


def test_order_of_windows_does_not_matter_for_distributions(naive: list[Forecast]) -> None:
    distribution = with_distribution("distribution", naive[0], 1.0)
    assert distribution.quantiles is not None
    quantiles = distribution.quantiles * np.arange(1, len(distribution) + 1)[:, None, None, None]
    distribution = replace(distribution, quantiles=quantiles)
    turned = replace(
        distribution, windows=distribution.windows[::-1], mean=distribution.mean[::-1], quantiles=quantiles[::-1]
    )
    pd.testing.assert_frame_equal(
        score([naive[0], turned]).leaderboard(), score([naive[0], distribution]).leaderboard()
    )


def test_other_data_keep_their_main_figure(naive: list[Forecast]) -> None:
    panel = counts_panel()
    halves = panel.with_values(panel.values + 0.5)
    found = score([replace(f, panel=halves) for f in naive])
    assert found.main == "rmse"
    assert "zero_accuracy" not in found.leaderboard()
    with pytest.raises(ConfigError, match=r"no metric 'wgl'\. Did you mean 'wql'"):
        found.value("Persistence", "wgl")
    assert np.isnan(found.value("Persistence", "wql"))


def test_long_frame_has_buckets(scores: Scorecard) -> None:
    frame = scores.figures()
    assert set(frame["scope"]) == {"all", "h_step", "series", "bucket"}
    chosen = frame.query("model == 'wide' and scope == 'bucket' and key == 'sparse' and metric == 'wql'")
    assert chosen["value"].item() == scores.by_bucket("wql").set_index("bucket")["wide"]["sparse"]


def test_a_baseline_is_what_says_so_whatever_its_name(naive: list[Forecast]) -> None:
    made: list[Any] = [with_distribution(name, naive[0], 1.0) for name in ("CalendarES", "Ridge", "mine")]
    assert score(made).baselines == ()
    made[2] = replace(made[2], baseline=True)
    assert score(made).baselines == ("mine",)


def test_pit_of_a_model(naive: list[Forecast]) -> None:
    right, wide = with_distribution("right", naive[0], 1.0, DENSE), with_distribution("wide", naive[0], 3.0, DENSE)
    found = score([right, wide])
    np.testing.assert_array_equal(found.pit("right"), found.pit("right"))
    dense = found.pit("right")[..., 0]
    assert stats.kstest(dense.ravel(), "uniform").pvalue > 0.01
    assert stats.kstest(found.pit("wide")[..., 0].ravel(), "uniform").pvalue < 1e-6
    fair = found.coverage(80, by="bucket", fair=True).set_index("bucket")
    assert fair.loc["dense", "right"] == pytest.approx(0.8, abs=0.12)
    assert fair.loc["ultra", "right"] == pytest.approx(0.8, abs=1e-9)
    pit = np.abs(found.pit("right") - 0.5) <= 0.4
    assert found.value("right", "fair_coverage_80") == pytest.approx(pit.mean(), abs=0.08)
    assert found.value("right", "coverage_80") > found.value("right", "fair_coverage_80")
    with pytest.raises(ConfigError, match="Fair coverage needs a dense grid"):
        score([with_distribution("few", naive[0], 1.0)]).coverage(80, fair=True)
    with pytest.raises(ConfigError, match=r"wied has no quantiles\. Did you mean 'wide'"):
        found.pit("wied")


def test_quantiles_that_were_asked_for_are_columns_beside_the_mean(tmp_path: Path) -> None:
    panel = make_panel((90,))
    card = backtest([SeasonalNaive(3, 7)], panel, n_windows=2, step=3, baselines=False, quantiles=(0.3,), levels=(80,))
    card.save(tmp_path, page=False)
    cutoffs = panel.grid.output_times(card.windows.steps(panel))
    fitted = SeasonalNaive(3, 7).fit(panel, until=cutoffs[0])
    expected = fitted.predict(panel, cutoffs=list(cutoffs), levels=(80,), quantiles=(0.3,)).to_frame()
    for one in (card, Scorecard.load(tmp_path)):
        table = one.to_frame()
        for end in ("lo-80", "hi-80", "ql0.3"):
            np.testing.assert_allclose(table[f"SeasonalNaive-{end}"], expected[f"SeasonalNaive-{end}"])

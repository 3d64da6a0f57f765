"""Auto: what it chooses, how long it takes, what it says, and that it comes back from its folder."""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases import make_panel

import foretide as ft
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.forecasters.auto.auto import LEARN, LEAST, MOST, usual_limit
from foretide.forecasters.auto.budget import Budget
from foretide.forecasters.auto.candidates import USUAL, kind_of, usual_candidates
from foretide.forecasters.auto.contest import Entry, _outdone
from foretide.forecasters.auto.judge import MOST_ORIGINS, QUANTILES, Judge, tried, wql
from foretide.forecasters.auto.turns import NO_TIME, Attempt
from foretide.forecasters.base import FitPart
from foretide.forecasters.simple.baselines import Persistence
from foretide.parallel import Outcome

H = 5
SIMPLE = ["SeasonalNaive", "SeasonalES", "SeasonalMean", "Drift"]


class Broken(Persistence):
    """Cannot be fitted."""

    def _fit(self, part: FitPart) -> None:
        raise DataError("nothing to learn here")


def noise(n: int = 4, rows: int = 200, seed: int = 0) -> ft.Panel:
    """A weekly pattern under noise: the smoothed season is better than the last one."""
    return make_panel((rows,) * n, seed=seed)


def test_the_better_ones_are_blended_and_far_ones_are_not() -> None:
    model = ft.Auto(H, SIMPLE, season=7).fit(noise())
    board = model.leaderboard().set_index("candidate")
    assert list(board.index) == list(board.wql.sort_values().index)
    assert board.weight["SeasonalES"] > 0
    assert board.weight["Drift"] == 0
    assert "worse than" in board.left_out["Drift"]
    assert board.weight.sum() == pytest.approx(1)
    assert (board.left_out[board.weight > 0] == "").all()


def test_the_mean_is_that_of_the_members() -> None:
    panel = noise()
    model = ft.Auto(H, SIMPLE).fit(panel)
    weights = model.leaderboard().set_index("candidate").weight
    expected = np.zeros((4, H, 1))
    for name, weight in weights[weights > 0].items():
        expected += weight * ft.WithIntervals(str(name), h=H).fit(panel).predict(panel).mean
    np.testing.assert_allclose(model.predict(panel).mean, expected, rtol=1e-12)


def test_a_failing_candidate_is_left_out_with_a_note() -> None:
    panel = noise()
    model = ft.Auto(H, [Broken(H), *SIMPLE]).fit(panel)
    board = model.leaderboard().set_index("candidate")
    assert board.left_out["Broken"] == "failed: nothing to learn here"
    notes = [note.text for note in model.predict(panel).notes]
    assert notes == ["Broken is left out: failed: nothing to learn here"]
    with pytest.raises(DataError, match="nothing to learn here"):
        ft.Auto(H, [Broken(H)]).fit(panel)


def test_without_time_the_first_candidate_answers() -> None:
    panel = noise()
    model = ft.Auto(H, SIMPLE, time_limit=1e-9).fit(panel)
    board = model.leaderboard().set_index("candidate")
    assert board.weight["SeasonalNaive"] == 1
    assert set(board.left_out[1:]) == {NO_TIME}
    forecast = model.predict(panel)
    assert forecast.quantiles is not None
    assert np.isfinite(forecast.quantiles).all()


def test_a_dear_candidate_is_left_out_by_its_measured_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.forecasters.auto.turns.predicted_seconds", lambda judge, item: 1000.0)
    model = ft.Auto(H, ["SeasonalES", {"LAVAR": {"order": 3, "latent": 2, "epochs": 1, "head_epochs": 1}}]).fit(noise())
    board = model.leaderboard().set_index("candidate")
    assert board.left_out["LAVAR"] == f"{NO_TIME}: it would take about 33 min 20 s"
    assert model.notes_ == [f"LAVAR is left out: {board.left_out['LAVAR']}"]


class Slow(Persistence):
    """Takes its time."""

    def _fit(self, part: FitPart) -> None:
        time.sleep(5)


def test_what_takes_unfit_is_stopped() -> None:
    model = ft.Auto(H, ["SeasonalNaive", Slow(H)], time_limit=0.6).fit(noise())
    assert model.leaderboard().left_out[1].startswith(f"{NO_TIME}: it was stopped after")


class ByRows(Persistence):
    """Takes longer the more rows it has."""

    baseline = False

    def _fit(self, part: FitPart) -> None:
        time.sleep(float(part.panel.length.sum()) / 400)
        super()._fit(part)


def test_outside_the_main_thread_few_series_are_measured_instead() -> None:
    panel = noise(2)
    found: list[ft.Auto] = []

    models = ["SeasonalNaive", ByRows(H)]
    thread = threading.Thread(target=lambda: found.append(ft.Auto(H, models, time_limit=1.5).fit(panel)))
    thread.start()
    thread.join()
    assert found[0].leaderboard().left_out[1].startswith(f"{NO_TIME}: it would take about")


@cache
def usual() -> ft.Auto:
    """With the candidates that it chooses itself."""
    return ft.Auto(H, seed=3).fit(make_panel((70, 60)))


def test_the_same_seed_gives_the_same_forecast() -> None:
    panel = make_panel((70, 60))
    first, second = (model.predict(panel) for model in (usual(), ft.Auto(H, seed=3).fit(panel)))
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.quantiles, second.quantiles)


def test_intervals_cover_what_they_say() -> None:
    hits = []
    for seed in range(3):
        panel = noise(n=40, seed=seed)
        forecast = (
            ft.Auto(H, SIMPLE, season=7)
            .fit(panel.head(panel.observed - H))
            .predict(panel, [panel.grid.output_times([194])[0]])
        )
        hits.append((forecast.quantile(0.1) <= forecast.truth()) & (forecast.truth() <= forecast.quantile(0.9)))
    assert 0.74 < np.mean(hits) < 0.86


def test_counts_stay_counts_and_what_was_never_negative_stays_so() -> None:
    rng = np.random.default_rng(0)
    panel = make_panel((150,) * 5)
    counts = panel.with_values(rng.poisson(1.5, panel.values.shape).astype(float))
    assert kind_of(counts) == "counts"
    forecast = ft.Auto(H, ["SeasonalMean", "SeasonalES", "CalendarES"]).fit(counts).predict(counts)
    assert forecast.quantiles is not None
    np.testing.assert_array_equal(forecast.quantiles, np.round(forecast.quantiles))
    assert forecast.quantiles.min() >= 0
    wide = panel.with_values(rng.exponential(1.0, panel.values.shape) + 1e-3)
    forecast = ft.Auto(H, ["SeasonalMean", "SeasonalES"]).fit(wide).predict(wide, levels=99)
    assert forecast.quantiles is not None
    assert forecast.quantiles.min() >= 0


def test_kinds_of_data_have_their_candidates() -> None:
    panel = make_panel((150,) * 3)
    rng = np.random.default_rng(0)
    sparse = panel.with_values(rng.gamma(1.0, 2.0, panel.values.shape) * (rng.random(panel.values.shape) < 0.5))
    assert kind_of(panel) == "continuous"
    assert kind_of(sparse) == "sparse"
    smooth, rough = ({m.name for m in usual_candidates(p, H, {}).models} for p in (panel, sparse))
    assert {"Persistence", "Drift", "LAVAR", "CalendarES", "Analogues", "AutoCES", "Pretrained"} <= smooth
    assert "AutoARIMA" in smooth
    assert {"CalendarES", "LAVAR", "TSB", "Analogues", "AutoCES", "Pretrained"} <= rough
    counts = panel.with_values(rng.poisson(1.5, panel.values.shape).astype(float))
    judge = Judge.of(counts, H, 7)
    assert judge is not None
    for one in usual_candidates(counts, H, {}).models:
        if not one.neural:
            quantiles = tried(judge, one, None).quantiles  # as Auto asks for them
            np.testing.assert_array_equal(quantiles, np.round(quantiles), err_msg=one.name)
    assert not {"Drift", "AutoARIMA"} & rough
    assert "TSB" not in smooth
    assert "Attention" in usual_candidates(panel, H, {}).unfit
    assert "AutoARIMA" in usual_candidates(make_panel((600,)), H, {}).unfit
    assert "AutoARIMA" in usual_candidates(panel, H, {"season": 24}).unfit


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "statsforecast" else real(name, package)

    monkeypatch.setattr("foretide.forecasters.gaussian.find_spec", without)
    missing = usual_candidates(make_panel((150,)), H, {}).missing
    assert set(missing) == {str(one.settings["model"]) for one in USUAL if one.name == "Stats"}
    assert all("foretide[baselines]" in text for text in missing.values())
    assert all(one.needs == "statsforecast" for one in USUAL if one.name == "Stats")


def test_of_short_series_a_third_is_kept_back() -> None:
    panel = make_panel((12, 40, 90))
    judge = Judge.of(panel.take([0]), 6, 1)
    assert judge is not None
    assert judge.known.length.tolist() == [8]
    assert np.isfinite(judge.truth[0, :4]).all()
    assert np.isnan(judge.truth[0, 4:]).all()
    judge = Judge.of(panel.take([1, 2]), 6, 1)
    assert judge is not None
    assert judge.known.length.tolist() == [40 - 12, 90 - 12]
    assert judge.windows.cutoff.tolist() == [27, 30, 33, 77, 80, 83]
    assert np.isfinite(judge.truth).all()


def test_long_series_are_judged_from_more_origins_further_apart() -> None:
    judge = Judge.of(make_panel((400, 400, 150)), 6, 7)
    assert judge is not None
    counts = np.bincount(judge.windows.entity)
    assert counts.tolist() == [MOST_ORIGINS, MOST_ORIGINS, 8]
    assert set(np.diff(judge.windows.cutoff[judge.windows.entity == 0])) == {6}
    assert judge.evidence == pytest.approx((2 * MOST_ORIGINS + 8) / 3)
    assert np.isfinite(judge.truth).all()


def test_short_series_are_judged_where_most_are_short() -> None:
    few, most = Judge.of(make_panel((60, 50, 12)), 3, 1), Judge.of(make_panel((60, 12, 13)), 3, 1)
    assert few is not None
    assert most is not None
    assert len(few.known.ids) == 2
    assert len(most.known.ids) == 3


def test_one_huge_series_does_not_choose_for_all() -> None:
    panel = noise(n=6)
    values = panel.values.copy()
    values[: panel.length[0]] *= 1e6
    judge = Judge.of(panel.with_values(values), H, 7)
    assert judge is not None
    exact = np.repeat(judge.truth[..., None], len(QUANTILES), axis=-1)
    huge = (judge.windows.entity == 0)[:, None, None, None]
    bad_there, bad_elsewhere = np.where(huge, 1.2 * exact, 1.02 * exact), np.where(huge, 1.16 * exact, 1.3 * exact)
    assert wql(bad_elsewhere, judge.truth) < wql(bad_there, judge.truth)
    assert judge.score(bad_elsewhere) > judge.score(bad_there)
    other = Judge.of(panel.with_values(1000 * values), H, 7)
    assert other is not None
    assert other.score(1000 * bad_there) == pytest.approx(judge.score(bad_there))
    assert judge.score(np.full_like(exact, np.nan)) == np.inf


def test_series_too_short_to_be_judged_get_the_simple_ones() -> None:
    panel = make_panel((7, 6))
    model = ft.Auto(5, ["SeasonalNaive", "Drift", {"ARIMA": {"order": (1, 0, 0)}}])
    model.fit(panel)
    board = model.leaderboard().set_index("candidate")
    assert board.weight.to_dict() == {"SeasonalNaive": 0.5, "Drift": 0.5, "ARIMA": 0.0}
    assert "too short to say how good it is" in model.verdict()
    assert np.isfinite(model.predict(panel).mean).all()


def test_the_verdict_names_the_best_simple_baseline() -> None:
    model = ft.Auto(H, ["SeasonalNaive", "SeasonalES", {"Ridge": {"input_size": 14}}], season=7).fit(noise())
    assert "the best simple baseline" in model.verdict()
    assert model.verdict().count(". ") == 1
    with pytest.raises(NotFittedError, match="is not fitted"):
        ft.Auto(H).verdict()
    with pytest.raises(NotFittedError, match="is not fitted"):
        ft.Auto(H).leaderboard()


def test_it_comes_back_from_its_folder(tmp_path: Path) -> None:
    panel, model = make_panel((70, 60)), usual()
    model.save(tmp_path / "auto")
    again = ft.load(tmp_path / "auto")
    assert isinstance(again, ft.Auto)
    assert again.settings() == model.settings()
    unclocked = [card.leaderboard().drop(columns="seconds") for card in (again, model)]
    assert unclocked[0].equals(unclocked[1])
    assert again.verdict() == model.verdict()
    for levels in (80, (50, 99)):
        np.testing.assert_array_equal(
            again.predict(panel, levels=levels).quantiles, model.predict(panel, levels=levels).quantiles
        )


def test_a_fitted_one_is_copied_with_its_candidates() -> None:
    model = ft.Auto(H, SIMPLE).fit(noise())
    assert model.fresh().settings() == model.settings()
    assert ft.Auto(H).fresh(time_limit=5).time_limit == 5


def test_it_runs_in_a_backtest_beside_the_baselines() -> None:
    card = ft.backtest(ft.Auto(H, SIMPLE), noise(2), n_windows=2, step=3)
    assert "Auto" in card.models
    assert "Auto" not in card.baselines


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": "Ridge"}, "candidates is a list"),
        ({"candidates": []}, "candidates is a list"),
        ({"candidates": [ft.Drift(3)]}, "All candidates forecast h=5"),
        ({"time_limit": 0}, "time_limit is a number of seconds"),
        ({"season": 0}, "season is a whole number"),
        ({"h": 0}, "h is the number of steps"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ft.Auto(**{"h": H, **settings})


def test_each_step_is_said_with_the_time_left() -> None:
    model = ft.Auto(H, SIMPLE, time_limit=50)
    lines: list[str] = []
    model.progress = lines.append
    model.fit(noise())
    assert len(lines) == len(SIMPLE) + 1
    assert re.fullmatch(r"trying SeasonalES \(2 of 4\), \d+ s left", lines[1])
    assert re.fullmatch(r"fitting .*SeasonalES.* on everything, \d+ s left", lines[-1])
    assert "progress" not in model.settings()
    assert model.fresh().progress is None


def test_what_was_forecast_from_the_held_back_origins_can_be_scored() -> None:
    model = ft.Auto(H, ["SeasonalNaive", "SeasonalNaive", "Drift"], season=7).fit(noise())
    assert list(model.trials_) == ["SeasonalNaive", "SeasonalNaive 2", "Drift", "Auto"]
    board = ft.score(list(model.trials_.values())).leaderboard().set_index("model")
    assert board.wql["Auto"] <= board.wql["Drift"]
    assert model.trials_["SeasonalNaive"].baseline
    assert not model.trials_["Auto"].baseline


def test_without_candidates_it_counts_as_holding_a_network() -> None:
    assert ft.Auto(H).neural
    assert not ft.Auto(H, SIMPLE).neural
    assert not ft.Auto(H, SIMPLE).fit(noise()).neural


def test_small_counts_without_zeros_are_counts_for_every_candidate() -> None:
    panel = make_panel((60,) * 3)
    counts = panel.with_values(np.random.default_rng(0).poisson(12.0, panel.values.shape).astype(float))
    assert kind_of(counts) == "counts"
    models = {model.name: model for model in usual_candidates(counts, H, {}).models}
    assert models["DynamicOptimizedTheta"].model == {"Stats": {**ft.Stats("DynamicOptimizedTheta", H).settings()}}
    quantiles = models["DynamicOptimizedTheta"].fit(counts).predict(counts).quantiles
    assert quantiles is not None
    np.testing.assert_array_equal(quantiles, np.round(quantiles))


def test_intervals_of_counts_cover_what_they_say() -> None:
    rng = np.random.default_rng(1)
    panel = make_panel((160,) * 30)
    sizes = np.repeat(rng.gamma(2.0, 1.0, 30), 160)[:, None]
    counts = panel.with_values(rng.negative_binomial(1.5, 1.5 / (1.5 + sizes)).astype(float))
    model = ft.Auto(H, ["SeasonalMean", "WindowMean", "SeasonalES"], season=7).fit(counts.head(counts.observed - H))
    levels = np.arange(1, 100) / 100
    forecast = model.predict(counts, [counts.grid.output_times([154])[0]], quantiles=levels)
    assert forecast.quantiles is not None
    truth = forecast.truth()[..., None]
    low = (forecast.quantiles < truth).mean(axis=-1)
    high = (forecast.quantiles <= truth).mean(axis=-1)
    transform = low + (high - low) * rng.random(low.shape)
    assert 0.74 < np.mean(np.abs(transform - 0.5) < 0.4) < 0.86


def test_the_time_for_a_fit_grows_with_series_and_values() -> None:
    assert usual_limit(100, 0) == LEAST
    assert usual_limit(500, 20_000) == pytest.approx(LEAST + 80 + 20)
    assert usual_limit(1, 10**6) == MOST
    assert usual_limit(1, 20_000, learn=True) == LEARN
    assert ft.Auto(H).time_limit is None


def test_of_a_network_and_its_start_the_better_one_stands_in_the_blend() -> None:
    entries = [
        Entry("Net-start", wql=1.0, start_of="Net"), Entry("Net", wql=0.9),
        Entry("Same-start", wql=0.8, start_of="Same"), Entry("Same", wql=0.8),
        Entry("Late-start", wql=1.1, start_of="Late"), Entry("Late", left_out="no time left"),
        Entry("Naive", wql=2.0, simple=True),
    ]  # fmt: skip
    assert _outdone(entries) == [
        "Net begins there, and is better", "", "", "Same-start, at which it begins, is as good", "", "", "",
    ]  # fmt: skip


def test_starts_are_named_beside_their_networks() -> None:
    panel = ft.synthetic.hourly(T=200, n_series=1, seed=1).panel
    lstm = ft.LSTM(h=4, input_size=24, hidden=4, epochs=1, device="cpu")
    model = ft.Auto(h=4, candidates=["SeasonalNaive", lstm], time_limit=600).fit(panel)
    board = model.leaderboard().set_index("candidate")
    assert set(board.index) == {"SeasonalNaive", "LSTM-start", "LSTM"}
    assert np.isfinite(board["wql"]).all()
    assert (board["weight"][["LSTM", "LSTM-start"]] == 0).any()
    better = "LSTM" if board["wql"]["LSTM"] < board["wql"]["LSTM-start"] else "LSTM-start"
    assert (board["left_out"][["LSTM", "LSTM-start"]].drop(better).str.contains("begins")).all()
    assert model.starts == {"LSTM": "LSTM-start"}
    assert ft.score(list(model.trials_.values()), starts=model.starts).trained["LSTM"].start == "LSTM-start"


def test_waiting_for_the_machine_takes_nothing_from_the_usual_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a machine that does other work, seconds pass in which nothing is computed.
    clock = SimpleNamespace(passed=0.0, computed=0.0)
    fake = SimpleNamespace(perf_counter=lambda: clock.passed, thread_time=lambda: clock.computed)
    monkeypatch.setattr("foretide.forecasters.auto.budget.time", fake)
    usual, asked = Budget(10.0), Budget(10.0, wall=True)
    clock.passed, clock.computed = 8.0, 3.0
    assert (usual.left(), asked.left()) == (7.0, 2.0)
    clock.passed = 20.0
    assert (usual.left(), asked.left()) == (5.0, -10.0)
    got = Outcome(0, Attempt(None, 3.0), seconds=12.0)
    usual.charge(got, 2, beside=True)
    assert usual.left() == 3.5
    usual.charge(got, 2, beside=False)  # it ran in this process, whose clock counts it
    asked.charge(got, 2, beside=True)  # the wall's clock has counted it
    assert (usual.left(), asked.left()) == (3.5, -10.0)
    usual.charge(Outcome(0, Attempt(None, 3.0), seconds=0.0), 2, beside=False)  # it was taken up again
    assert usual.left() == 0.5


def test_a_time_limit_beyond_all_numbers_is_none() -> None:
    assert ft.Auto(H, time_limit=10**400).time_limit == ft.Auto(H, time_limit=float("inf")).time_limit == 1e9

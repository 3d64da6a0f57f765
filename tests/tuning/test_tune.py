from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError, ForetideError, MissingExtraError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.text import percent
from foretide.tuning.result import Study
from foretide.tuning.tune import seconds_of, tune

H = 7
END = 279


class Moody(Forecaster):
    """Forecasts ``level``; fails, or stops everything, at levels of its own."""

    stop_at: float | None = None

    def __init__(self, h: int, level: float = 20.0, broken: str = "", *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.level, self.broken = level, broken

    def _fit(self, part: FitPart) -> None:
        if Moody.stop_at is not None and self.level == Moody.stop_at:
            raise KeyboardInterrupt
        if self.broken:
            kinds = {"data": DataError, "memory": MemoryError, "runtime": RuntimeError, "value": ValueError}
            raise kinds[self.broken](f"cannot do {self.level}")

    def _predict(self, panel: Panel, windows: Any, quantiles: Any, traces: Any) -> Prediction:
        return Prediction(np.full((len(windows), self.h, panel.n_targets), self.level))


@pytest.fixture(autouse=True)
def _calm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Moody, "stop_at", None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return make_panel((320, 310), targets=2, first=(0, 10))


def search(models: Any, panel: Panel, **options: Any) -> Study:
    given: dict[str, Any] = {"h": H, "n_trials": 5, "storage": "memory", "until": times(panel, [END])[0], **options}
    return tune(models, panel, **given)


def shown(study: Study) -> list[tuple[Any, ...]]:
    return [(row.label, row.state, row.value, row.seed, row.key) for row in study.rows]


# ---------------------------------------------------------------- what is scored
def test_a_trial_scores_what_a_backtest_of_its_settings_scores(panel: Panel) -> None:
    study = search("SeasonalES", panel, n_trials=3)
    plan = study.task.plan
    part = panel.until(times(panel, [END])[0])
    for row in study.rows:
        card = ft.backtest(
            ft.SeasonalES(H, **row.settings), part, step=plan.step, n_windows=len(plan.folds), baselines=False
        )  # fmt: skip
        assert row.value == pytest.approx(card.value("SeasonalES", "rmse"), rel=1e-12)
    assert plan.folds[-1].cutoff + H == END
    assert plan.step % 7 != 0
    assert plan.step >= H


def test_the_error_by_a_slow_loop(panel: Panel) -> None:
    study = search(Moody, panel, n_trials=2, space={"level": [20.0, 18.5]}, metric="mae")
    errors = []
    for fold in study.task.plan.folds:
        for entity in range(2):
            for k in range(1, H + 1):
                row = fold.cutoff - int(panel.first[entity]) + k
                errors += [abs(v - 18.5) for v in panel.rows(entity)[row, :2]]
    assert study.rows[1].value == pytest.approx(np.mean(errors), rel=1e-9)


def test_all_settings_are_scored_on_the_windows_that_all_can_do() -> None:
    panel = make_panel((300, 170), first=(0, 130))
    options: dict[str, Any] = {"fixed": {"level": "last"}, "n_trials": 9, "until": None}
    study = search("Ridge", panel, space={"input_size": [7, 60]}, **options)
    plan = study.task.plan
    young = study.task.windows.entity == 1
    assert 0 < young.sum() < len(plan.folds)
    assert (study.task.windows.cutoff[young] >= 59).all()
    assert study.notes == ()
    assert [row.settings["input_size"] for row in study.rows] == [None, 60, 7]  # the default chooses by itself
    assert set(study.baselines) >= {"SeasonalNaive", "SeasonalES"}


def test_every_series_is_judged_at_its_own_end() -> None:
    staggered = make_panel((300, 200, 60), first=(0, 350, 600))  # lives that do not overlap
    study = search("Ridge", staggered, until=None, n_trials=2, fixed={"input_size": 14})
    windows, plan = study.task.windows, study.task.plan
    ends = windows.cutoff + plan.h == staggered.observed[windows.entity] - 1
    assert set(windows.entity[ends]) == {0, 1, 2}
    np.testing.assert_array_equal(
        study.task.inner.length[:2], staggered.observed[:2] - (650 - plan.folds[0].cutoff + 9)
    )
    assert len(study.best_model.predict(study.part)) == 3


def test_counts_are_scored_by_squared_error() -> None:
    study = search(Moody, make_panel((200,), whole=True), until=None, n_trials=1, space={}, baselines=False)
    assert study.metric == "mse"
    twin = np.mean((study.task.truth - 20.0) ** 2)
    assert study.best.value == pytest.approx(twin)


def test_a_law_can_be_scored(panel: Panel) -> None:
    model = ft.SeasonalES(H)
    study = search(model, panel, metric="wql", n_trials=3)
    plan, part = study.task.plan, panel.until(times(panel, [END])[0])
    card = ft.backtest(model, part, step=plan.step, n_windows=len(plan.folds), baselines=False)
    assert study.best.value == pytest.approx(card.value(model.name, "wql"), rel=1e-9)
    means = model.fit(part).predict(part, levels=())
    with pytest.raises(ConfigError, match="no quantiles to score wql"):
        study.task.score(replace(means, mean=np.zeros_like(study.task.truth)))


@pytest.mark.parametrize(("metric", "match"), [("coverage_80", "no error that a search"), ("rsme", "mean 'rmse'")])
def test_measures_that_cannot_be_made_small(panel: Panel, metric: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        search("SeasonalES", panel, metric=metric)


@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_until_is_seen(panel: Panel, poison: float) -> None:
    values = np.array(panel.values)
    for entity in range(panel.n_entities):
        values[panel.row0[entity] + END - panel.first[entity] + 1 : panel.row0[entity] + panel.length[entity]] = poison
    models = ["SeasonalES", ft.LSTM(H, input_size=14, hidden=8, epochs=1)]
    clean = search(models, panel, n_trials=6, space={"alpha": (0.1, 0.9), "lr": (1e-4, 1e-2, "log")})
    dirty = search(
        models, panel.with_values(values), n_trials=6, space={"alpha": (0.1, 0.9), "lr": (1e-4, 1e-2, "log")}
    )  # fmt: skip
    assert shown(clean) == shown(dirty)
    assert clean.baselines == dirty.baselines
    cutoffs = times(panel, [END])
    a, b = (s.best_model.predict(panel, cutoffs=cutoffs).mean for s in (clean, dirty))
    np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- trials and their order
def test_defaults_come_first_and_the_best_is_never_worse(panel: Panel) -> None:
    study = search(["SeasonalES", "SeasonalMean", "Ridge"], panel, n_trials=12)
    assert list(study.trials["model"][:3]) == ["SeasonalES", "SeasonalMean", "Ridge"]
    assert study.rows[0].settings == {"alpha": None}
    assert study.best.value <= min(study.trials["value"][:3])
    assert (study.trials["model"].value_counts() == 4).all()
    assert list(study.trials.columns[:7]) == ["number", "model", "state", "value", "seconds", "seed", "error"]
    assert list(study.history()["best"]) == list(study.trials["value"].cummin())


def test_a_search_that_goes_on_is_the_one_that_never_stopped(panel: Panel, tmp_path: Path) -> None:
    options: dict[str, Any] = {"space": {"level": (15.0, 25.0)}, "fixed": {}, "baselines": False, "seed": 3}
    whole = search([Moody, ft.SeasonalES], panel, n_trials=30, **{**options, "space": SPACES})
    path = tmp_path / "a.journal"
    levels = [row.settings["level"] for row in whole.rows if row.label == "Moody"]
    for stop in (levels[4], levels[12]):
        Moody.stop_at = stop
        with pytest.raises(KeyboardInterrupt):
            search([Moody, ft.SeasonalES], panel, n_trials=30, storage=path, **{**options, "space": SPACES})
    Moody.stop_at = None
    search([Moody, ft.SeasonalES], panel, n_trials=27, storage=path, **{**options, "space": SPACES})
    done = search([Moody, ft.SeasonalES], panel, n_trials=30, storage=path, **{**options, "space": SPACES})
    assert list(done.trials["state"]).count("interrupted") == 2
    assert [line for line in shown(done) if line[1] != "interrupted"] == shown(whole)


SPACES = {"Moody": {"level": (15.0, 25.0)}, "SeasonalES": {"alpha": (0.01, 0.9, "log")}}


def test_tpe_learns_and_random_does_not(panel: Panel) -> None:
    options: dict[str, Any] = {"space": {"level": (0.0, 100.0)}, "n_trials": 30, "baselines": False, "refit": False}
    tpe, random = (search(Moody, panel, sampler=name, **options) for name in ("tpe", "random"))
    far = [np.mean([abs(row.settings["level"] - 20) for row in s.rows[12:]]) for s in (tpe, random)]
    assert far[0] < 0.5 * far[1]
    assert tpe.rows[:8] != random.rows[:8] or far[0] != far[1]


def test_a_finite_space_is_tried_out_and_nothing_twice(panel: Panel) -> None:
    space = {"level": [18.0, 20.0, 22.0], "broken": ["", "value"]}
    study = search(Moody, panel, n_trials=50, space=space)
    assert len(study.rows) == 6
    assert len({row.key for row in study.rows}) == 6
    assert sorted(study.trials["state"]) == ["complete"] * 3 + ["failed"] * 3
    again = search(["Drift", "SeasonalNaive"], panel, n_trials=50)
    assert len(again.rows) == 2


def test_the_default_outside_a_space_is_the_first_trial_all_the_same(panel: Panel) -> None:
    study = search(Moody, panel, n_trials=15, space={"level": (30.0, 40.0)}, baselines=False)
    assert study.rows[0].settings == {"level": 20.0}
    assert all(30 <= row.settings["level"] <= 40 for row in study.rows[1:])
    assert study.best.number == 0


def test_seeds_one_more_each_unless_fixed(panel: Panel) -> None:
    small: dict[str, Any] = {"input_size": 14, "epochs": 0, "hidden": 8}
    options: dict[str, Any] = {"space": {"lr": (1e-4, 1e-2)}, "n_trials": 3, "baselines": False, "refit": False}
    free = search("LSTM", panel, fixed=small, seed=40, **options)
    assert list(free.trials["seed"]) == [40, 41, 42]
    assert free.unfitted().settings()["seed"] == free.best.seed
    held = search(ft.LSTM(H, seed=5, **small), panel, seed=40, **options)
    assert held.trials["seed"].isna().all()
    assert held.settings["LSTM"]["seed"] == 5


# ---------------------------------------------------------------- what goes wrong
@pytest.mark.parametrize("kind", ["data", "memory", "runtime", "value"])
def test_a_trial_that_fails_is_written_down(panel: Panel, kind: str) -> None:
    study = search(Moody, panel, space={"broken": ["", kind], "level": [20.0, 21.0]}, n_trials=9)
    failed = study.trials[study.trials["state"] == "failed"]
    assert len(failed) == 2
    assert failed["error"].str.contains("Error: cannot do 2").all()
    assert failed["value"].isna().all()
    assert study.best.settings["broken"] == ""


def test_defaults_that_cannot_work_are_said_at_once(panel: Panel, tmp_path: Path) -> None:
    broken = Moody(H, broken="data")
    with pytest.raises(DataError, match=r"cannot do 20\.0"):
        search(broken, panel, storage=tmp_path / "a", space={"level": (1.0, 2.0)})
    with pytest.raises(DataError, match=r"cannot do 20\.0"):  # and tried again when asked again
        search(broken, panel, storage=tmp_path / "a", space={"level": (1.0, 2.0)})
    study = search([broken, "SeasonalES"], panel, space={"Moody": {"level": (1.0, 2.0)}}, n_trials=9)
    assert list(study.trials["state"]).count("failed") == 3  # then the class leaves
    assert study.best.model == "SeasonalES"


def test_when_nothing_worked_the_study_says_why(panel: Panel) -> None:
    study = search(Moody(H, broken="runtime"), panel, space={"level": [1.0, 2.0]})
    assert study.verdict() == "No trial was completed."
    with pytest.raises(ForetideError, match=r"No trial of the search was completed.*RuntimeError: cannot do 20"):
        _ = study.best_model


def test_missing_forecasts_do_not_flatter(panel: Panel) -> None:
    study = search(Moody, panel, space={"level": [20.0, float("nan")]}, n_trials=5)
    assert study.rows[1].state == "failed"
    assert "no finite forecast for" in study.rows[1].error


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sampler": "tpee"}, "Did you mean 'tpe'"),
        ({"pruner": "medain"}, "Did you mean 'median'"),
        ({"n_trials": 0}, "at least 1"),
        ({"timeout": "soon"}, "a time span above 0"),
        ({"n_window": 3}, "Did you mean 'n_windows'"),
        ({"n_jobs": 2}, "seen by one process only"),
        ({"n_windows": 400}, "do not fit"),
        ({"storage": "."}, "is a folder"),
    ],
)
def test_options_that_cannot_work(panel: Panel, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        search("SeasonalES", panel, **options)


def test_a_horizon_is_needed(panel: Panel) -> None:
    with pytest.raises(ConfigError, match="Give h="):
        tune("SeasonalES", panel, storage="memory")
    assert tune(ft.SeasonalES(3), panel, storage="memory", n_trials=1).task.plan.h == 3


def test_without_optuna(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'foretide\[tune\]'"):
        search("SeasonalES", panel)


# ---------------------------------------------------------------- time and words
@pytest.mark.parametrize(("given", "seconds"), [("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("90s", 90), (5, 5)])
def test_time_spans(given: Any, seconds: float) -> None:
    assert seconds_of(given) == seconds


def test_no_trial_starts_after_the_timeout(panel: Panel) -> None:
    study = search("SeasonalES", panel, n_trials=None, timeout=0.3, baselines=False)
    assert len(study.rows) >= 1
    assert study.trials["seconds"].iloc[:-1].sum() < 0.3
    assert search("SeasonalES", panel, n_trials=2, timeout="1h").trials["number"].tolist() == [0, 1]


@pytest.mark.timing
def test_by_time_every_class_gets_its_share(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    study = search(
        ["SeasonalES", ft.LSTM(H, input_size=14, hidden=8, epochs=3)], panel, n_trials=None, timeout=2.0,
        baselines=False, refit=False,
    )  # fmt: skip
    spent = study.trials.groupby("model")["seconds"].sum()
    assert spent["SeasonalES"] < spent["LSTM"] + study.trials["seconds"].max()
    assert spent["LSTM"] < spent["SeasonalES"] + study.trials["seconds"].max()
    assert (study.trials["model"] == "SeasonalES").sum() > (study.trials["model"] == "LSTM").sum()


def test_a_line_for_every_trial(panel: Panel) -> None:
    lines: list[str] = []
    search(Moody, panel, n_trials=4, space={"level": (10.0, 30.0)}, progress=lines.append)
    assert len(lines) == 4
    assert lines[0].startswith("trial 1 of 4, Moody: rmse ")
    assert "best" in lines[3]
    assert "left" in lines[0]
    assert "left" not in lines[3]


def test_pruning_stops_the_slow_ones(panel: Panel) -> None:
    model = ft.LSTM(H, input_size=7, hidden=4, epochs=5, patience=5, steps_per_epoch=3, calendar=None)
    options: dict[str, Any] = {"space": {"lr": (1e-6, 1e-1, "log")}, "baselines": False, "refit": False}
    cut = search(model, panel, n_trials=10, **options)
    free = search(model, panel, n_trials=3, pruner=None, **options)
    assert cut.rows[0].state == "complete"
    assert {"complete", "pruned"} == set(cut.trials["state"])
    assert set(free.trials["state"]) == {"complete"}
    hyper = search(model, panel, n_trials=7, pruner="hyperband", **options)
    assert "pruned" in set(hyper.trials["state"])


# ---------------------------------------------------------------- the result
def test_the_best_model_is_refitted_on_the_whole_part(panel: Panel) -> None:
    study = search("SeasonalES", panel, n_trials=4)
    until = times(panel, [END])[0]
    twin = ft.SeasonalES(H, **study.best.settings).fit(panel, until=until)
    forecast = study.best_model.predict(panel, cutoffs=[until])
    np.testing.assert_array_equal(forecast.mean, twin.predict(panel, cutoffs=[until]).mean)
    assert study.best_model is study.best_model
    lazy = search("SeasonalES", panel, n_trials=1, refit=False)
    assert "best_model" not in vars(lazy)
    assert lazy.best_model.is_fitted


def test_leaderboard_and_verdict(panel: Panel) -> None:
    study = search(["SeasonalES", Moody], panel, n_trials=6, space=SPACES)
    board = study.leaderboard()
    assert board["rmse"].is_monotonic_increasing
    assert set(board.loc[board["kind"] == "searched", "model"]) == {"Moody"}
    best = board[board["kind"] == "baseline"]["rmse"].min()
    np.testing.assert_allclose(board["skill_vs_best_baseline"], 1 - board["rmse"] / best)
    assert min(study.all_baselines().values()) == best
    assert "flatters it" in study.verdict()
    assert "SeasonalES" not in study.baselines
    values = board.set_index("model")["rmse"]
    assert {name: study.best_of(name).value for name in ("SeasonalES", "Moody")} == dict(
        values[["SeasonalES", "Moody"]]
    )


def test_a_searched_baseline_counts_as_a_baseline(panel: Panel) -> None:
    study = search("SeasonalES", panel, n_trials=2)
    board = study.leaderboard().set_index("model")
    assert board["kind"]["SeasonalES"] == "baseline"
    assert board["trials"]["SeasonalES"] == 2
    assert study.all_baselines() == {**study.baselines, "SeasonalES": study.best.value}
    other = min(study.baselines, key=study.baselines.__getitem__)
    far = study.baselines[other] / study.best.value - 1
    assert f"It counts as a simple baseline itself; the best other one ({other}, " in study.verdict()
    assert (f"has {percent(far)} more." if far > 0 else "less: take that one.") in study.verdict()
    assert "It beats" not in study.verdict()
    alone = search("SeasonalES", panel, n_trials=1, baselines=False)
    assert "It counts as a simple baseline itself; no other was scored beside it." in alone.verdict()
    wrapped = search({"WithIntervals": {"model": "SeasonalES"}}, panel, n_trials=1, baselines=False)
    assert wrapped.leaderboard()["kind"].tolist() == ["baseline"]


def test_a_searched_baseline_is_what_others_must_beat(panel: Panel) -> None:
    study = search(["SeasonalES", Moody], panel, n_trials=4, space={"Moody": {"level": [20.0]}}, baselines=False)
    board = study.leaderboard().set_index("model")
    least = board["rmse"]["SeasonalES"]
    assert board["skill_vs_best_baseline"]["Moody"] == pytest.approx(1 - board["rmse"]["Moody"] / least)
    winner = "SeasonalES" if least < board["rmse"]["Moody"] else "Moody"
    assert study.best.model == winner
    assert ("no other was scored" if winner == "SeasonalES" else "It beats the best simple baseline (SeasonalES") in (
        study.verdict()
    )
    assert study.default_of("SeasonalES").settings() == ft.SeasonalES(H).settings()
    with pytest.raises(ConfigError, match="Did you mean 'Moody'"):
        study.importances("Mody")


def test_importances_are_optunas(panel: Panel) -> None:
    space = {"level": (10.0, 30.0), "broken": ["", " "][:1]}
    one = search(Moody, panel, n_trials=25, space=space, baselines=False)
    table = one.importances()
    assert list(table["parameter"]) == ["level"]
    assert table["importance"].sum() == pytest.approx(1.0)
    of_ridge = {"input_size": [7, 14, 60], "level": ["auto", "last", "mean", "none"], "channels": ["all", "own"]}
    study = search("Ridge", panel, n_trials=14, space=of_ridge, baselines=False)
    twin = optuna.create_study()
    distributions = {name: entry.distribution() for name, entry in study.candidates[0].space.items()}
    assert study.rows[0].settings["input_size"] is None  # the defaults, outside the space
    for row in study.rows[1:]:
        twin.add_trial(
            optuna.trial.create_trial(params=row.settings, distributions=distributions, value=row.value)
        )  # fmt: skip
    found = optuna.importance.get_param_importances(
        twin, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), normalize=True
    )  # fmt: skip
    assert study.all_importances()["Ridge"] == pytest.approx(found)


def test_a_saved_study(panel: Panel, tmp_path: Path) -> None:
    study = search(["Ridge", "SeasonalES"], panel, n_trials=5, seed=8)
    study.save(tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "trials.csv")
    np.testing.assert_allclose(table["value"], study.trials["value"])
    told = json.loads((tmp_path / "out" / "study.json").read_text())
    assert told["about"]["seed"] == 8
    assert told["best"]["number"] == study.best.number
    assert told["best"]["configuration"] == study.settings
    assert {"python", "foretide", "optuna"} <= set(told["versions"])
    assert len(told["about"]["folds"]["folds"]) == len(study.task.plan.folds)
    ((name, settings),) = study.settings.items()
    made = getattr(ft, name)(H, **settings).fit(study.task.panel)
    cutoffs = times(panel, [END])
    np.testing.assert_array_equal(
        made.predict(panel, cutoffs=cutoffs).mean, study.best_model.predict(panel, cutoffs=cutoffs).mean
    )


def test_optunas_log_level_is_left_as_it_was(panel: Panel, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    search("SeasonalES", panel, n_trials=3)
    assert optuna.logging.get_verbosity() == before
    assert "Trial" not in capfd.readouterr().err

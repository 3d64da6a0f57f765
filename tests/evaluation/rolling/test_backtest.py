from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.windows import Windows, at_cutoffs
from foretide.errors import ConfigError, DataError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.rolling.backtest import backtest
from foretide.evaluation.rolling.plan import BacktestWarning
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.classical.ridge import Ridge
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.simple.baselines import Persistence, SeasonalES, SeasonalNaive
from foretide.forecasters.simple.default_set import default_names
from foretide.parallel import ProcessExecutor

UNASKED = default_names(counts=False, seasonal=True)
UNASKED_COUNTS = default_names(counts=True, seasonal=True)
H = 4


class Spy(Forecaster):
    """Forecasts the mean of what it was fitted on, and notes every call."""

    calls: list[tuple[Any, ...]] = []  # noqa: RUF012  # shared on purpose: copies are made

    def __init__(self, h: int, fail_at: int | None = None, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.fail_at = fail_at

    def _fit(self, part: FitPart) -> None:
        first, last = int(part.panel.first.min()), int(part.panel.last.max())
        Spy.calls.append(("fit", first, last, part.train_end))
        if self.fail_at is not None and last >= self.fail_at:
            raise DataError("no more")
        self.mean_ = np.nanmean(part.panel.rows(0)[:, : part.panel.n_targets], axis=0)

    def _predict(self, panel: Panel, windows: Windows, quantiles: Any, traces: Any) -> Prediction:
        Spy.calls.append(("predict", tuple(sorted(set(windows.steps(panel).tolist())))))
        return Prediction(np.broadcast_to(self.mean_, (len(windows), self.h, panel.n_targets)).copy())


@pytest.fixture(autouse=True)
def _clean() -> None:
    Spy.calls.clear()


def panel_() -> Panel:
    return make_panel((100, 90), targets=2, first=(0, 4))


def alone(models: Any, panel: Panel, **options: Any) -> Scorecard:
    return backtest(models, panel, baselines=False, **{"levels": (), "quantiles": (), **options})


# ---------------------------------------------------------------- folds, fits and passes
def test_one_fit_and_one_pass_without_refit() -> None:
    alone(Spy(H), panel_(), n_windows=5, step=3)
    assert Spy.calls == [("fit", 0, 83, 83), ("predict", (83, 86, 89, 92, 95))]


def test_a_fit_for_every_block() -> None:
    alone(Spy(H), panel_(), n_windows=5, step=3, refit=2, gap=1)
    assert Spy.calls == [
        ("fit", 0, 82, 82), ("predict", (83, 86)), ("fit", 0, 88, 88), ("predict", (89, 92)),
        ("fit", 0, 94, 94), ("predict", (95,)),
    ]  # fmt: skip


def test_a_sliding_training_part_and_validation_of_a_given_size() -> None:
    alone(Spy(H), panel_(), n_windows=2, step=3, refit=True, train_size=20, val_size=6)
    assert [c for c in Spy.calls if c[0] == "fit"] == [("fit", 73, 92, 86), ("fit", 76, 95, 89)]


@pytest.mark.parametrize("refit", [False, True, 2])
def test_equal_to_a_loop_by_hand(refit: Any) -> None:
    panel = panel_()
    card = alone([SeasonalES(H), Ridge(H, input_size=14)], panel, n_windows=5, step=3, refit=refit)
    for model in (SeasonalES(H), Ridge(H, input_size=14)):
        for fold in card.plan.folds:
            fit = card.plan.folds[fold.fit]
            made = model.fresh().fit(panel, until=fit.time).predict(panel, [fold.time])
            for k, entity in enumerate(made.windows.entity):
                row = np.flatnonzero(
                    (card.windows.entity == entity) & (card.windows.steps(panel) == fold.cutoff)
                )  # fmt: skip
                if len(row):
                    np.testing.assert_allclose(
                        card.forecasts[model.name][row[0]], made.mean[k], rtol=1e-6, atol=1e-6
                    )  # fmt: skip
    # A series that ends early is not scored beyond its end.
    assert not np.isnan(card.truth).all(axis=(1, 2)).any()
    last = card.windows.steps(panel)[card.windows.entity == 1].max()
    assert last < 94 < card.plan.folds[-1].cutoff


def test_models_are_not_changed_and_weights_are_fresh() -> None:
    panel = make_panel((150,))
    model = LSTM(h=H, input_size=14, hidden=8, epochs=2, start_lr=0.0)
    card = alone(model, panel, n_windows=2, step=8, refit=True)
    assert not model.is_fitted
    last = card.plan.folds[-1]
    fresh = model.fresh().fit(panel, until=last.time).predict(panel, [last.time])
    np.testing.assert_array_equal(card.forecasts["LSTM"][-1], fresh.mean[0].astype(np.float64))
    warm = alone(model, panel, n_windows=2, step=8, refit=True, warm_start=True)
    np.testing.assert_array_equal(card.forecasts["LSTM"][0], warm.forecasts["LSTM"][0])
    by_hand = model.fresh().fit(panel, until=card.plan.folds[0].time)
    by_hand.fit(panel, until=last.time, warm_start=True)
    np.testing.assert_array_equal(warm.forecasts["LSTM"][1], by_hand.predict(panel, [last.time]).mean[0])


def test_warm_start_begins_at_the_former_weights() -> None:
    # At a rate of almost nothing weights stay where they began; here at those of another seed.
    panel = make_panel((150,))
    until = times(panel, [100, 120])
    first = LSTM(h=H, input_size=14, hidden=8, epochs=1, lr=1e-12, seed=1).fit(panel, until=until[0])
    still = LSTM(h=H, input_size=14, hidden=8, epochs=1, lr=1e-12)
    moved = {k: v for k, v in first.state().items() if "encoder" in k or "decoder" in k or "lstm" in k}
    assert moved
    still._fitted, still.network, still.preparation = first._fitted, first.network, first.preparation
    warm = still.fit(panel, until=until[1], warm_start=True).state()
    cold = still.fresh().fit(panel, until=until[1]).state()
    for name, value in moved.items():
        np.testing.assert_allclose(warm[name], value, atol=1e-7)
    assert any(np.abs(cold[name] - value).max() > 1e-3 for name, value in moved.items())


class WarmSpy(Spy):
    can_warm_start = True
    learned = ("mean_",)

    def _fit(self, part: FitPart) -> None:
        super()._fit(part)
        Spy.calls[-1] = ("fit", "warm" if self._former else "cold")


@pytest.mark.parametrize("warm_start", [True, False])
def test_every_block_is_fitted_once_warm_or_not(warm_start: bool) -> None:
    said: list[str] = []
    alone(WarmSpy(H), panel_(), n_windows=3, step=3, refit=True, warm_start=warm_start, progress=said.append)
    after = "warm" if warm_start else "cold"
    assert [call[1] for call in Spy.calls if call[0] == "fit"] == ["cold", after, after]
    assert sum(line.startswith(("1 of 1 fits", "3 of 3 fits")) for line in said) == 1


def test_warm_start_says_who_cannot() -> None:
    card = alone(SeasonalES(H), panel_(), n_windows=2, step=3, refit=True, warm_start=True)
    assert "warm_start: SeasonalES cannot, and begin anew at every fit" in card.notes
    with pytest.raises(ConfigError, match="SeasonalES cannot begin at what an earlier fit learned"):
        SeasonalES(H).fit(panel_(), warm_start=True)


# ---------------------------------------------------------------- baselines
def test_simple_baselines_join_by_default() -> None:
    panel = make_panel((150,))
    card = backtest(Ridge(H, input_size=14, alias="mine"), panel, n_windows=3, step=5)
    assert set(card.models) == {*UNASKED, "mine"} - {"Ridge"}
    assert set(card.baselines) == set(card.models)
    runs = {run.name: run for run in card.runs}
    assert runs["mine"].asked
    assert not runs["SeasonalES"].asked
    card = backtest(SeasonalNaive(H), panel, n_windows=3, step=5)
    assert set(card.models) == set(UNASKED)


def test_counts_get_intermittent_baselines_and_all_have_intervals() -> None:
    pytest.importorskip("statsforecast")
    panel = make_panel((150,), whole=True)
    plain = backtest(SeasonalNaive(H), panel, n_windows=3, step=5)
    assert set(plain.models) == set(UNASKED_COUNTS)
    assert set(plain.distributions.quantiles) == set(UNASKED_COUNTS)
    assert plain.main == "mse"
    assert all(plain.has("wql", name) for name in UNASKED_COUNTS)


def test_a_baseline_that_cannot_be_fitted_is_left_out_with_a_note() -> None:
    card = backtest(SeasonalNaive(H), make_panel((8,)), n_windows=1, step=3)
    assert "Ridge" not in card.models
    assert any(note.startswith("Ridge left out: No training window fits") for note in card.notes)


def test_an_asked_model_that_fails_names_itself_and_the_fold() -> None:
    with pytest.raises(DataError, match=r"Spy, fold 1 \(cutoff 2023-04-07\): no more"):
        alone(Spy(H, fail_at=93), panel_(), n_windows=2, step=3, refit=True)


# ---------------------------------------------------------------- warnings
def test_a_fitted_model_is_used_as_it_is_and_overlap_is_said() -> None:
    panel = panel_()
    model = Spy(H).fit(panel, until=times(panel, [80])[0])
    Spy.calls.clear()
    alone(model, panel, n_windows=3, step=3)
    assert [c[0] for c in Spy.calls] == ["predict"]
    late = Spy(H).fit(panel, until=times(panel, [90])[0])
    with pytest.warns(BacktestWarning, match=r"Spy was fitted on steps up to 2023-04-02.*later than the first cutoff"):
        alone(late, panel, n_windows=3, step=3)
    Spy.calls.clear()
    alone(late, panel, n_windows=3, step=3, refit=True)
    assert [c[0] for c in Spy.calls] == ["fit", "predict"] * 3


def test_an_empty_validation_part_is_said() -> None:
    model = LSTM(h=H, input_size=14, hidden=8, epochs=1)
    with pytest.warns(BacktestWarning, match="The validation part of LSTM is empty: no series holds a window of 4"):
        alone(model, make_panel((120,)), n_windows=1, val_size=2)


# ---------------------------------------------------------------- what else can be a model
class Own:
    """Not a Forecaster: the last value, as a user would write it."""

    h = H

    def fit(self, panel: Panel, until: Any = None) -> Own:
        self.until = until
        return self

    def predict(self, panel: Panel, cutoffs: Any) -> Forecast:
        windows = at_cutoffs(panel, cutoffs)
        last = panel.values[windows.rows(panel)][:, : panel.n_targets]
        return Forecast("Own", panel, windows, np.repeat(last[:, None, :], self.h, axis=1))


def test_a_class_of_the_users_own() -> None:
    panel = panel_()
    own = Own()
    card = alone([own, Persistence(H)], panel, n_windows=4, step=3, refit=True)
    np.testing.assert_allclose(card.forecasts["Own"], card.forecasts["Persistence"])
    assert not hasattr(own, "until")


def test_names_and_settings_make_models() -> None:
    card = alone(
        ["Persistence", {"SeasonalMean": {"cycles": 3, "alias": "steady"}}], panel_(), h=H, n_windows=2, step=3
    )
    assert set(card.models) == {"Persistence", "steady"}
    with pytest.raises(ConfigError, match=r"No model says how many steps to forecast\. Give h"):
        alone("Persistence", panel_())
    assert alone({"Persistence": {"h": 3}}, panel_(), n_windows=2).plan.h == 3


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ConfigError, match=r"forecast the same number of steps; got h=\[4, 5\]"):
        alone([Persistence(4), SeasonalNaive(5)], panel_())
    with pytest.raises(ConfigError, match="Two models are called 'Persistence'"):
        alone([Persistence(4), Persistence(4)], panel_())
    with pytest.raises(ConfigError, match="is no forecaster: it has no fit and no predict"):
        alone([object()], panel_(), h=3)
    with pytest.raises(ConfigError, match="nothing to backtest"):
        alone([], panel_(), h=3)


def test_the_oracle_of_a_synthetic_series() -> None:
    made = ft.synthetic.hourly(T=400, n_series=2, seed=1, regime_shifts=0, heteroskedasticity=0, coupling=0)
    card = backtest(SeasonalNaive(H), made.panel, n_windows=20, truth=made.truth)
    board = card.leaderboard().set_index("model")
    assert board["ratio_to_oracle"]["oracle"] == 1
    assert board["ratio_to_oracle"].min() == 1
    assert "oracle" not in card.models


# ---------------------------------------------------------------- side by side
def test_side_by_side_gives_the_same_bits(tmp_path: Path) -> None:
    panel = make_panel((150, 140), targets=2, first=(0, 4))
    models = [LSTM(h=H, input_size=14, hidden=8, epochs=2), SeasonalES(H), Ridge(H, input_size=14), Own()]
    options: dict[str, Any] = {"n_windows": 4, "step": 3, "refit": 2}
    one = alone(models, panel, **options)
    two = alone(models, panel, **options, n_jobs=2, folder=tmp_path / "b")
    for name in one.models:
        np.testing.assert_array_equal(one.forecasts[name], two.forecasts[name])
    assert [run.n_fits for run in two.runs] == [2, 2, 2, 2, 2]
    assert all(run.fit_seconds > 0 for run in two.runs)
    again = alone(models, panel, **options, folder=tmp_path / "b")
    assert f"resumed: 10 of 10 fits were read from {tmp_path / 'b'}" in again.notes
    warm = [alone(models[0], panel, **options, warm_start=True, n_jobs=n) for n in (1, 2)]
    np.testing.assert_array_equal(warm[0].forecasts["LSTM"], warm[1].forecasts["LSTM"])
    with pytest.raises(ConfigError, match="n_jobs is how many tasks run side by side"):
        alone(models[1], panel, n_jobs=0)


def test_a_single_fit_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("a process for one fit")

    monkeypatch.setattr(ProcessExecutor, "run", started)
    panel = make_panel((150, 140))
    assert len(alone(SeasonalES(H), panel, n_windows=4, n_jobs=2).plan.folds) == 4
    with pytest.raises(AssertionError, match="a process for one fit"):
        alone(SeasonalES(H), panel, n_windows=4, refit=True, n_jobs=2)


# ---------------------------------------------------------------- resuming
def test_an_interrupted_backtest_resumes_and_says_so(tmp_path: Path) -> None:
    panel, said = panel_(), []
    with pytest.raises(DataError, match="fold 3"):
        alone([Persistence(H), Spy(H, fail_at=92)], panel, n_windows=5, step=3, refit=True, folder=tmp_path / "b")
    assert len(Spy.calls) == 7
    Spy.calls.clear()
    options: dict[str, Any] = {"n_windows": 5, "step": 3, "refit": True, "folder": tmp_path / "b"}
    with pytest.raises(DataError, match="fold 3"):
        alone([Persistence(H), Spy(H, fail_at=92)], panel, **options)
    assert Spy.calls == [("fit", 0, 92, 92)]
    card = alone(Persistence(H), panel, **options, progress=said.append)
    assert said[0] == f"resumed: 4 of 5 fits were read from {tmp_path / 'b'}"
    assert said[0] in card.notes
    assert said[1:] == ["1 of 1 fits, last Persistence (cutoff 2023-04-07)"]
    fresh = alone(Persistence(H), panel, n_windows=5, step=3, refit=True)
    np.testing.assert_array_equal(card.forecasts["Persistence"], fresh.forecasts["Persistence"])
    assert card.runs[0].fit_seconds > 0


def test_a_half_written_result_is_made_again(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_windows": 3, "step": 3, "folder": tmp_path / "b"}
    whole = alone(Persistence(H), panel_(), **options)
    (path,) = (tmp_path / "b" / "folds").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:50])
    again = alone(Persistence(H), panel_(), **options)
    assert not any("resumed" in note for note in again.notes)
    np.testing.assert_array_equal(again.forecasts["Persistence"], whole.forecasts["Persistence"])


def test_other_data_or_folds_are_refused_and_other_settings_are_made(tmp_path: Path) -> None:
    panel, options = panel_(), {"n_windows": 3, "step": 3, "folder": tmp_path / "b"}
    alone(SeasonalES(H, alpha=0.1), panel, **options)
    other = alone(SeasonalES(H, alpha=0.5), panel, **options)
    assert not any("resumed" in note for note in other.notes)
    values = panel.values.copy()
    values[0, 0] += 1
    with pytest.raises(ConfigError, match=r"holds another backtest: it differs in data\..*overwrite=True"):
        alone(SeasonalES(H), panel.with_values(values), **options)
    with pytest.raises(ConfigError, match="differs in levels, plan"):
        alone(SeasonalES(H), panel, **{**options, "step": 4}, levels=(90,))
    alone(SeasonalES(H), panel, **{**options, "step": 4}, overwrite=True)
    assert json.loads((tmp_path / "b" / "backtest.json").read_text())["plan"]["step"] == 4


def test_a_fitted_model_is_known_by_its_state(tmp_path: Path) -> None:
    panel, options = panel_(), {"n_windows": 3, "step": 3, "folder": tmp_path / "b"}
    first = alone(Ridge(H, input_size=14).fit(panel, until=times(panel, [60])[0]), panel, **options)
    other = alone(Ridge(H, input_size=14).fit(panel, until=times(panel, [80])[0]), panel, **options)
    assert np.abs(first.forecasts["Ridge"] - other.forecasts["Ridge"]).max() > 0
    again = alone(Ridge(H, input_size=14).fit(panel, until=times(panel, [80])[0]), panel, **options)
    assert any("resumed: 1 of 1" in note for note in again.notes)


def test_progress_tells_the_time_left() -> None:
    said: list[str] = []
    alone([Persistence(H), SeasonalES(H)], panel_(), n_windows=3, step=3, refit=True, progress=said.append)
    assert said[0] == "1 of 6 fits, last Persistence (cutoff 2023-04-01)"  # how long SeasonalES takes is not known yet
    assert said[1:5] == [
        f"{k} of 6 fits, last {name} (cutoff {time}), about 1 s left"
        for k, name, time in (
            (2, "SeasonalES", "2023-04-01"), (3, "Persistence", "2023-04-04"), (4, "SeasonalES", "2023-04-04"),
            (5, "Persistence", "2023-04-07"),
        )
    ]  # fmt: skip
    assert said[5] == "6 of 6 fits, last SeasonalES (cutoff 2023-04-07)"

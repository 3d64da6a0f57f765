"""A fit that was killed goes on in the middle of its series, and ends the same."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.cases import CASES, make_panel

import foretide as ft
from foretide.data import pace
from foretide.data.checkpoints import here, keeping
from foretide.forecasters import fitting
from foretide.forecasters.classical.arima import ARIMA
from foretide.forecasters.table import FORECASTERS
from foretide.forecasters.wrappers import per_entity
from foretide.forecasters.wrappers.wrapper import unfitted


@pytest.fixture(autouse=True)
def _every_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST", "SHARE", "COST"):
        monkeypatch.setattr(pace, name, 0.0)


def same(one: ft.Forecaster, two: ft.Forecaster) -> None:
    assert one.state().keys() == two.state().keys()
    for name, array in one.state().items():
        np.testing.assert_array_equal(array, two.state()[name])


@pytest.mark.parametrize(
    ("made", "place", "name"),
    [
        (ft.ARIMA(3, order=(1, 0, 0)), ARIMA, "_estimate"),
        (ft.PerEntity(ft.SeasonalES(3)), per_entity, "_fit_one"),
    ],
)
def test_series_that_were_fitted_are_not_fitted_again(
    made: ft.Forecaster, place: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, real, calls = make_panel((60, 50, 70, 40)), getattr(place, name), [0]
    whole = made.fresh().fit(panel)

    def killed(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(place, name, killed)
    with keeping(tmp_path, {}), pytest.raises(KeyboardInterrupt):
        made.fresh().fit(panel, intervals=False)
    with keeping(tmp_path, {}):
        again = made.fresh().fit(panel, intervals=False)
        assert calls == [3 + 2]
        same(again, whole)
        same(made.fresh().fit(panel, intervals=False), whole)  # and the whole fit is taken up
    assert calls == [3 + 2]
    windows = {"levels": ()}
    np.testing.assert_array_equal(again.predict(panel, **windows).mean, whole.predict(panel, **windows).mean)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "place", "name"),
    [
        (
            {"LSTM": {"hidden": 4, "epochs": 3, "patience": 3, "steps_per_epoch": 2, "input_size": 8}},
            "training.loop",
            "_mean",
        ),
        ({"LAVAR": {"epochs": 2, "head_epochs": 2, "latent": 2, "order": 2}}, "training.loop", "_mean"),
        (
            {"Auto": {"candidates": ["SeasonalES", "Drift", {"Ridge": {"input_size": 8}}]}},
            "forecasters.auto.turns",
            "tried",
        ),
    ],
)
def test_a_killed_fit_with_a_folder_goes_on_there(
    model: Any, place: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, made, module = make_panel((70, 60)), unfitted(model, 3), importlib.import_module(f"foretide.{place}")
    real, calls = getattr(module, name), [0]
    whole = made.fresh().fit(panel)

    def counted(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, counted)
    with pytest.raises(KeyboardInterrupt):
        made.fresh().fit(panel, checkpoint=tmp_path / "c")
    first, calls[0] = calls[0], 10
    again = made.fresh().fit(panel, checkpoint=tmp_path / "c")
    second, calls[0] = calls[0] - 10, 10
    same(again, whole)
    assert not (tmp_path / "c").exists()
    made.fresh().fit(panel)
    assert first - 1 + second == calls[0] - 10  # all that was done is done once


@pytest.mark.parametrize("case", [name for name in FORECASTERS if not CASES[name](3).neural])
def test_what_was_learned_stays_while_intervals_are(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, made, learn, calls = make_panel((60, 50), past=1), CASES[case](3), fitting.learn_from_errors, []
    whole = made.fresh().fit(panel)

    def killed(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1 and "fit" not in here().within[1:]:  # type: ignore[union-attr]
            raise KeyboardInterrupt
        return learn(*arguments)

    monkeypatch.setattr(fitting, "learn_from_errors", killed)
    with pytest.raises(KeyboardInterrupt):
        made.fresh().fit(panel, checkpoint=tmp_path)
    again = made.fresh().fit(panel, checkpoint=tmp_path)
    same(again, whole)
    for one, two in zip(*(m.predict(panel).pandas().items() for m in (whole, again)), strict=True):
        assert one[1].equals(two[1]), one[0]


def test_a_fit_of_other_data_or_settings_is_made(tmp_path: Path) -> None:
    panel = make_panel((60, 50))
    values = panel.values.copy()
    values[3, 0] += 1
    for other, model in (
        (panel, ft.SeasonalES(3, alpha=0.2)),
        (panel.with_values(values), ft.SeasonalES(3, alpha=0.3)),
    ):
        with keeping(tmp_path, {}):
            ft.SeasonalES(3, alpha=0.3).fit(panel)
            same(model.fresh().fit(other), model.fresh().fit(other))
            found = model.fresh().fit(other).predict(other)
        np.testing.assert_array_equal(found.mean, model.fresh().fit(other).predict(other).mean)
        assert found.quantiles is not None

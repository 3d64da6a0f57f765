"""A forecaster is its file and one line: a made-up one is then all that those of the table are."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from cases import make_panel, times
from tests.contracts import test_forecasters as contracts
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.forecasters.simple.default_set import default_names
from foretide.forecasters.table import FORECASTERS, as_typed, forecaster_class
from foretide.jobs.threads import has_network
from foretide.parallel import map_tasks

H = 5
LINES = {"Damped": "made_up:Damped", "Pooled": "made_up:Pooled"}
each = pytest.mark.parametrize("name", LINES)
CONTRACTS = [
    test for name, test in vars(contracts).items()
    if name.startswith("test_") and "case" in inspect.signature(test).parameters
]  # fmt: skip


@pytest.fixture(autouse=True)
def _lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in LINES.items():
        monkeypatch.setitem(FORECASTERS, name, line)
        monkeypatch.setitem(cases.CASES, name, cases.made(name))


@each
def test_it_is_named(name: str) -> None:
    assert getattr(ft, name) is forecaster_class(name)
    assert as_typed(name.lower()) == name
    with pytest.raises(AttributeError, match=f"Did you mean '{name}'"):
        getattr(ft, name[:-1])


@each
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda test: str(test.__name__))
def test_it_obeys_the_contracts(name: str, contract: Any, tmp_path: Path) -> None:
    wanted = inspect.signature(contract).parameters
    given = {"case": name, **({"tmp_path": tmp_path} if "tmp_path" in wanted else {})}
    for kind in contracts.PANELS if "kind" in wanted else [None]:
        contract(**given, **({} if kind is None else {"kind": kind}))


@each
def test_it_is_searched(name: str) -> None:
    pytest.importorskip("optuna")
    fixed = {k: v for k, v in forecaster_class(name).quick.items() if k != "share"}
    study = ft.tune(name, make_panel((150,)), h=H, n_trials=2, fixed=fixed, baselines=False)
    assert set(study.best.settings) & {"share", "width"}


@each
def test_it_stands_inside_others_and_is_fitted_beside_them(name: str, tmp_path: Path) -> None:
    panel = make_panel((120, 110))
    for wrapper in (ft.PerEntity, ft.WithIntervals, ft.Conformal):
        model = wrapper({name: dict(forecaster_class(name).quick)}, h=H).fit(panel)  # type: ignore[operator]
        model.save(tmp_path / wrapper.__name__)
        again = ft.load(tmp_path / wrapper.__name__).predict(panel)
        np.testing.assert_array_equal(again.mean, model.predict(panel).mean)
        assert has_network(model) == (name == "Pooled")


def mean_of(panel: Any, name: str) -> Any:
    FORECASTERS[name] = LINES[name]
    until = times(panel, [110])[0]
    return cases.made(name)(H).fit(panel, until=until).predict(panel, [until]).mean


def test_it_is_fitted_in_processes() -> None:
    panel = make_panel((120,))
    found = [outcome.get() for outcome in map_tasks(mean_of, list(LINES), shared=panel, n_jobs=2)]
    for name, mean in zip(LINES, found, strict=True):
        np.testing.assert_allclose(mean, mean_of(panel, name), rtol=1e-6)


def test_it_joins_by_default_where_it_says_so() -> None:
    assert "Damped" in default_names(counts=False, seasonal=True)
    card = ft.backtest(ft.SeasonalNaive(H), make_panel((90,)), n_windows=2, step=3)
    assert "Damped" in card.baselines


@each
def test_it_is_explained(name: str) -> None:
    panel = make_panel((120,), past=1)
    model = cases.made(name)(H).fit(panel)
    found = ft.explain.inputs(model, panel, n_repeats=2)
    assert "p0" in set(found.names)


@each
def test_it_is_reported(name: str, tmp_path: Path) -> None:
    own = {key: value for key, value in forecaster_class(name).quick.items() if key != "input_size"}
    data = {"synthetic": {"generator": "hourly", "args": {"T": 400}}}
    config = {"h": H, "data": data, "models": [{name: own}], "input_size": 14, "baselines": False}
    folder = ft.run(config, output=tmp_path / "run")
    assert CliRunner().invoke(app, ["report", str(folder.path)]).exit_code == 0
    assert name in (folder.path / "report.html").read_text(encoding="utf-8")
    assert name in (folder.path / "summary.md").read_text(encoding="utf-8")
    assert has_network(ft.load(folder.path / "models" / name)) == (name == "Pooled")

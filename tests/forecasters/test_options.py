"""Every setting is visible: in the signature, to the type checker, in the help; and a wrong one is refused by name."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Unpack, get_type_hints

import pytest
from cases import CASES, make_panel

import foretide as ft
from foretide.errors import ConfigError
from foretide.forecasters.options import REQUIRED, other_parameters
from foretide.forecasters.table import FORECASTERS, forecaster_class

ROOT = Path(__file__).resolve().parents[2]
WITH_OPTIONS = [name for name in FORECASTERS if forecaster_class(name).configs]
each = pytest.mark.parametrize("name", FORECASTERS)
each_with_options = pytest.mark.parametrize("name", WITH_OPTIONS)


def options_of(kind: type[Any]) -> dict[str, Any]:
    """Return the types of the options that a constructor says it takes."""
    (given,) = [p for p in inspect.signature(kind.__init__).parameters.values() if p.kind is p.VAR_KEYWORD]
    known = {**vars(sys.modules[kind.__module__]), "Unpack": Unpack}
    return get_type_hints(eval(given.annotation, known).__args__[0])


@each_with_options
def test_options_are_the_fields_of_the_dataclasses(name: str) -> None:
    kind = forecaster_class(name)
    named = inspect.signature(kind.__init__).parameters
    held = {f.name: get_type_hints(config)[f.name] for config in kind.configs for f in fields(config)}
    assert options_of(kind) == {field: of for field, of in held.items() if field not in named}


@each
def test_nothing_public_is_of_any_type(name: str) -> None:
    assert [p for p in inspect.signature(forecaster_class(name).__init__).parameters.values() if "Any" in str(p)] == []


@each
def test_the_help_has_every_setting(name: str) -> None:
    kind = forecaster_class(name)
    text = inspect.getdoc(kind) or ""
    for setting in kind.parameters():
        assert any(setting in line.split(" : ")[0].split(", ") for line in text.splitlines() if " : " in line), (
            f"{name}: {setting}"
        )


def test_the_help_has_meaning_and_default() -> None:
    text = ft.Attention.__doc__ or ""
    assert "epochs : int, default 60\n    Passes over the training windows" in text
    assert text.count("epochs : ") == 1
    assert "penalties : tuple of float, default 17 values from 1e-06 to 100" in text
    assert other_parameters((), ()).count("\n") == 3


@each
def test_settings_are_parameters_and_make_the_same_forecaster_again(name: str) -> None:
    model = CASES[name](5)
    kind, settings = type(model), model.settings()
    assert set(settings) <= set(kind.parameters())
    assert kind(**settings).settings() == model.fresh().settings() == settings
    needed = {setting for setting, default in kind.parameters().items() if default is REQUIRED}
    assert needed <= {"h", "model", "models"}


@each_with_options
def test_a_wrong_setting_is_refused_with_the_nearest_name(name: str) -> None:
    with pytest.raises(ConfigError, match=r"There is no setting 'epoch'\. Did you mean 'epochs'"):
        forecaster_class(name)(h=4, epoch=3)


def test_a_wrong_setting_fails_in_the_type_checker(tmp_path: Path) -> None:
    right = ['ft.Attention(h=4, epochs=3, hidden=8, device="cpu", patch=None)', 'ft.LSTM(4, dropout=0.1, waves="auto")']
    right += ["ft.LAVAR(4, 3, gate=2, head_epochs=1)", "ft.SeasonalES(4, alpha=0.5)"]
    wrong = [f"ft.{name}(h=4, epoch=3)" for name in WITH_OPTIONS] + ['ft.Attention(h=4, epochs="many")']
    wrong += [f"ft.{name}(h=4, nothing=3)" for name in FORECASTERS if name not in WITH_OPTIONS]
    file = tmp_path / "typed.py"
    file.write_text("\n".join(["import foretide as ft", *right, *wrong]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(file)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    first = 2 + len(right)
    assert lines == set(range(first, first + len(wrong))), done.stdout


def test_the_former_name_of_a_setting_is_taken_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="law is called distribution now") as said:
        model = ft.WithIntervals(ft.SeasonalNaive(3, 7), law="normal")
    assert said[0].filename == __file__, "the line that was typed"
    assert model.distribution == "normal"
    assert "law" not in model.settings()
    config = {
        "h": 3, "data": {"synthetic": {"generator": "hourly", "args": {"T": 200}}}, "baselines": False,
        "models": [{"WithIntervals": {"model": "SeasonalNaive", "law": "normal"}}],
    }  # fmt: skip
    from foretide.jobs.config import load_config
    from foretide.jobs.roster import roster

    with pytest.warns(DeprecationWarning, match="law is called distribution now"):
        assert roster(load_config(config))[0].forecaster.settings()["distribution"] == "normal"


def test_what_was_saved_under_the_former_names_is_read(tmp_path: Path) -> None:
    panel = make_panel((80,))
    model = ft.WithIntervals(ft.SeasonalNaive(3, 7), "normal").fit(panel)
    facts, state = model.facts(), model.state()
    old = {"model": facts["members"][0], "fitted": facts["fitted"][0], "law": facts["distribution"]}
    again = model.fresh()
    again.restore({key.replace("distribution/", "law/"): array for key, array in state.items()}, old)
    again._fitted = model._fitted
    assert (again.predict(panel).quantiles == model.predict(panel).quantiles).all()  # type: ignore[union-attr]

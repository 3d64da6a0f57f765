"""The table of explanations: the public names follow from it, and a made-up one is reported like the others."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.explain import table
from foretide.explain.summary import Summary
from foretide.explain.table import EXPLAINERS, Explainer
from foretide.jobs.config import Config
from foretide.jobs.explaining import EXPLAINED, explain_models
from foretide.jobs.folder import RunFolder
from foretide.jobs.prepare import prepare


class Moody(ft.Ridge):
    """A ridge that says how it feels, too."""

    explains = ("mood",)


@dataclass
class Mood(Summary):
    """Whether a model looks up."""

    model: str
    windows: str = ""

    def tables(self) -> dict[str, pd.DataFrame]:
        return {"mood": pd.DataFrame({"model": [self.model], "mood": [1.5]})}

    def sentences(self) -> list[str]:
        return [f"{self.model} is well, <b>{self.windows}</b>."]

    def named(self, windows: str) -> Mood:
        return Mood(self.model, windows)


def mood(model: ft.Ridge, panel: ft.Panel, cutoffs: object) -> Mood:
    return Mood(model.name)


def test_public_names_and_signatures_are_those_of_the_table() -> None:
    stub = ast.parse((Path(table.__file__).parent / "__init__.pyi").read_text(encoding="utf-8"))
    named = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named == {row.name: row.module for row in EXPLAINERS.values()}
    assert dir(ft.explain) == sorted(EXPLAINERS)
    for name, row in EXPLAINERS.items():
        assert getattr(ft.explain, name) is row.function
    with pytest.raises(AttributeError, match="Did you mean 'attention'"):
        ft.explain.atention  # type: ignore[attr-defined]  # noqa: B018


def test_what_fits_follows_from_the_forecasters() -> None:
    def fitting(model: type[ft.Ridge], *, slow: bool) -> list[str]:
        return [name for name, row in EXPLAINERS.items() if row.fits(model(h=2), slow=slow)]

    assert fitting(ft.Attention, slow=True) == ["attention", "inputs"]
    assert fitting(ft.LAVAR, slow=False) == ["dynamics"]
    assert fitting(ft.Ridge, slow=False) == []


def test_a_made_up_explanation_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.explain.table.mood", mood, raising=False)
    monkeypatch.setitem(EXPLAINERS, "mood", Explainer("mood", "foretide.explain.table", "Mood", needs="mood"))
    config = {
        "name": "moods", "h": 2, "baselines": False, "models": ["Ridge"],
        "data": {"synthetic": {"generator": "planted_lags", "args": {"T": 200, "lags": [7], "weights": [0.5]}}},
    }  # fmt: skip
    prepared = prepare(Config.model_validate(config))
    until = prepared.panel.grid.output_times(np.array([150]))[0]
    model = Moody(h=2, input_size=7).fit(prepared.panel, until=until)
    said: list[str] = []
    run = RunFolder(tmp_path / "run")
    page = explain_models(run, {"M": model}, prepared, with_inputs=False, progress=said.append)
    assert said == ["Moody: mood"]
    assert "### Mood\n\nMoody is well, <b>after what the model was fitted on</b>." in page.read_text()
    entry = json.loads((run.path / EXPLAINED).read_text(encoding="utf-8"))[0]
    assert (entry["model"], entry["subject"]) == ("M", "Mood")
    assert pd.read_csv(run.path / entry["tables"]["mood"])["mood"].tolist() == [1.5]
    shown = Mood("<i>", "x")._repr_html_()
    assert "&lt;i&gt; is well, &lt;b&gt;x&lt;/b&gt;." in shown
    assert "<b>" not in shown

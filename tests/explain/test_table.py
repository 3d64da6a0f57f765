"""The table of explanations: the public names follow from it, and a made-up one is reported like the others."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import content

import foretide as ft
from foretide.explain import table
from foretide.explain.summary import Summary
from foretide.explain.table import EXPLAINERS, Explainer
from foretide.jobs.config import Config
from foretide.jobs.explaining import keep_explanations
from foretide.jobs.folder import RunFolder
from foretide.jobs.prepare import prepare
from foretide.jobs.store import EXPLAINED, EXPLAINED_TABLE
from foretide.report.content import Explained
from foretide.report.explained.sections import of_models


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
    keep_explanations(run, {"M": model}, prepared, with_inputs=False, progress=said.append)
    assert said == ["Moody: mood"]
    (entry,) = run.read(EXPLAINED) or ()
    sentence = "Moody is well, <b>after what the model was fitted on</b>."
    assert entry == {"model": "M", "subject": "Mood", "sentences": [sentence], "brief": [sentence], "tables": ["mood"]}
    table = run.read(EXPLAINED_TABLE, model="M", table="mood")
    assert table is not None
    assert table["mood"].tolist() == [1.5]
    parts = [Explained("M", "Mood", [sentence], {"mood": table})]
    report = of_models(content(explained=parts))
    assert [s.title for s in report.sections] == ["How to read it", "M: Mood"]
    assert report.sections[1].facts == [sentence]
    shown = Mood("<i>", "x")._repr_html_()
    assert "&lt;i&gt; is well, &lt;b&gt;x&lt;/b&gt;." in shown
    assert "<b>" not in shown

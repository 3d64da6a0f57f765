"""A study in a notebook: verdict, trials by state, leaderboard, and text that stays text."""

from __future__ import annotations

import dataclasses
import re

import pytest
from cases import make_panel

import foretide as ft
from foretide.tuning.result import Study

pytest.importorskip("optuna")
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def study() -> Study:
    models = [{"SeasonalES": {"alias": EVIL}}, "Ridge"]
    panel = make_panel((320, 310), targets=2, first=(0, 10))
    found: Study = ft.tune(models, panel, h=7, n_trials=4, storage="memory", refit=False)
    return found


def test_a_study_shows_verdict_trials_and_leaderboard(study: Study) -> None:
    shown = study._repr_html_()
    verdict = re.search("<b>(.*?)</b>", shown)
    assert verdict is not None
    assert verdict[1].replace("&lt;", "<").replace("&gt;", ">") == study.verdict()
    assert "<p>4 trials: 4 complete</p>" in shown
    board = study.leaderboard()
    rows = re.findall("<tr>(.*?)</tr>", shown.split("<tbody>")[1], flags=re.S)
    cells = [re.findall("<td>(.*?)</td>", row) for row in rows]
    assert [row[2] for row in cells] == [f"{value:.4g}" for value in board["rmse"]]
    assert [row[0] for row in cells] == [name.replace("<", "&lt;").replace(">", "&gt;") for name in board["model"]]
    assert "NaN" not in shown
    assert "<NA>" not in shown
    assert "&lt;NA&gt;" not in shown


def test_a_name_that_is_markup_is_text(study: Study) -> None:
    shown = study._repr_html_()
    assert EVIL not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_trials_are_counted_by_state_and_a_study_without_a_value_says_so(study: Study) -> None:
    rows = [dataclasses.replace(row, state=state, value=None) for row, state in zip(
        study.rows, ("failed", "pruned", "failed", "interrupted"), strict=True
    )]  # fmt: skip
    shown = dataclasses.replace(study, rows=tuple(rows))._repr_html_()
    assert "<p>4 trials: 2 failed, 1 pruned, 1 interrupted</p>" in shown
    assert "<b>No trial was completed.</b>" in shown

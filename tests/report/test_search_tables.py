"""The tables on the page of a search: leaderboards, trials, failures, the best settings."""

from __future__ import annotations

import pytest
import search_pages
from search_pages import BROKEN, EVIL, NET, RIDGE, finished

from foretide.report.search import sections, tables
from foretide.report.section import Table, text_of


def texts(table: Table) -> list[list[str]]:
    return [[text_of(v, c.kind) for v, c in zip(row, table.columns, strict=True)] for row in table.rows]


def test_both_leaderboards() -> None:
    content = search_pages.content()
    board, judged = tables.search_board(content), tables.judged_board(content)
    assert [column.name for column in board.columns] == [
        "model", "kind", "rmse", "skill vs best baseline", "trials", "seconds", "best trial",
    ]  # fmt: skip
    assert texts(board)[1] == [RIDGE, "searched", "0.9", "5.3%", "13", "19.5", "27"]
    assert texts(board)[4] == [BROKEN, "searched", "–", "–", "3", "4.5", "–"]
    assert judged is not None
    assert [column.name for column in judged.columns] == [
        "model",
        "kind",
        "rmse",
        "skill vs best baseline",
    ]  # no mae is known
    assert texts(judged)[0] == [NET, "model", "9", "18.2%"]


def test_trials_best_first_with_their_settings() -> None:
    content = search_pages.content()
    found = texts(tables.trials_table(content))
    known = [float(row[3]) for row in found if row[3] != "–"]
    assert len(found) == 38
    assert known == sorted(known)
    assert len(known) == 32
    assert [row[2] for row in found[32:]] == [
        "failed", "failed", "failed", "pruned", "interrupted", "without a finite value",
    ]  # fmt: skip
    line = content.trials.iloc[2]
    row = next(row for row in found if row[0] == "2")
    assert row[6:] == [f"{line['lr']:.4g}", "none", str(line["hidden"]), "–"]  # Net has cell, not alpha


def test_a_long_table_of_trials_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_TRIALS", 5)
    content = search_pages.content()
    found = tables.trials_table(content)
    best = content.trials["value"].sort_values().index[:5]
    assert [row[0] for row in texts(found)] == [str(k) for k in best]
    assert found.caption == "Every trial with its settings, best first. The 5 best of 38 trials; trials.csv holds all."


def test_failures_are_counted_by_model_and_error() -> None:
    section = sections.failures(search_pages.content())
    assert section is not None
    assert section.sentences == ["4 of 38 trials ended without a value that can be compared."]
    assert texts(section.tables[0]) == [
        [BROKEN, "2", "32", f"ValueError: no {EVIL}"], [BROKEN, "1", "34", "no error was recorded"],
        [RIDGE, "1", "37", "no error was recorded"],
    ]  # fmt: skip
    assert tables.failure_table(search_pages.content(trials=finished(NET).reset_index(drop=True))) is None


def test_the_best_settings_beside_the_defaults_and_what_they_were_chosen_from() -> None:
    content = search_pages.content()
    best, first = content.trials.loc[content.trials["value"].idxmin()], content.trials.iloc[0]
    found = tables.best_table(content)
    assert found is not None
    assert texts(found) == [
        ["lr", f"{best['lr']:.4g}", f"{first['lr']:.4g}", "0.0001 to 0.1, evenly in the logarithm"],
        ["cell", str(best["cell"]), EVIL, f"{EVIL}, gru, none"],
        ["hidden", str(best["hidden"]), str(first["hidden"]), "whole numbers 8 to 256, evenly in the logarithm"],
    ]
    spaces = tables.space_table(content)
    assert spaces is not None
    assert texts(spaces)[3] == [RIDGE, "alpha", "0 to 2"]

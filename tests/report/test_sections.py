"""The table of sections: a made-up one stands on the page and in the summary; what a summary says."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pages
import pandas as pd
import pytest
import search_pages
from scipy import stats
from search_pages import BROKEN, EVIL, NET, RIDGE

from foretide.pictures.picture import Axis, Line, Picture
from foretide.report import sections
from foretide.report.content import Content
from foretide.report.render.markdown import escaped, markdown
from foretide.report.render.page import page
from foretide.report.run.boards import shown_columns
from foretide.report.run.choices import choices
from foretide.report.search.importances import importance_words
from foretide.report.section import Column, Folded, Report, Section, Table
from foretide.report.sections import report_of


def weather(content: Content) -> Section | None:
    """A section made up here: one file, one line in the table."""
    picture = Picture.one(
        "rain", "Rain", f"It rained on {content.name}.", [Line("rain", [1, 2], [3, 4])], Axis("day"), Axis("mm"),
        file="rain",
    )  # fmt: skip
    table = Table("rain", "By month.", [Column("month"), Column("rain", "in mm"), Column("wet", kind="share")],
                  [["May", 31.23456, 0.5], ["June|", None, 0.25]])  # fmt: skip
    return Section("weather", "Weather", ["It rained."], ["Twice"], [table], [picture], [Folded("log.txt", "<wet>")])


def test_a_made_up_section_stands_on_page_and_in_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SECTIONS", [*sections.SECTIONS, weather])
    report = report_of(pages.content())
    html, text = page(report), markdown(report, {"rain": ["rain.png", "rain.svg"]})
    for wanted in ("It rained.", "Twice", "By month.", "31.23", "50.0%", "in mm"):
        assert wanted in html, wanted
        assert wanted in text, wanted
    assert '<section id="weather"' in html
    assert 'id="chart-rain"' in html
    assert "&lt;wet&gt;" in html
    assert "## Weather" in text
    assert "![Weather](rain.png)" in text
    assert "[svg](rain.svg)" in text
    assert "| June\\| | – | 25.0% |" in text


def test_the_summary_has_the_order_of_the_page_and_every_table() -> None:
    text = markdown(report_of(pages.content()), {})
    lines = [line for line in text.splitlines() if line]
    assert lines[:2] == [f"# page {escaped(EVIL)}: backtest", "## What comes next"]
    assert lines[lines.index("## Verdict") + 1] == f"**Net beats Naive. {escaped(EVIL)}**"
    report = report_of(pages.content())
    heads = [line.partition("# ")[2] for line in lines if line.startswith("##")]
    assert heads == [part.title for part in report.parts]
    assert [part.id for part in report.sections[-1].parts] == ["data"]
    assert "### Is a difference more than chance?" in lines
    assert "| Net | model | 1 | 1 | 0.5 | 50.0% | 0.5 | 0.1 |" in lines
    assert "![" not in text  # no files, no pictures
    assert "settings.yaml --out again" in text


def test_text_of_the_user_stays_text_in_both() -> None:
    for content in (pages.content(), search_pages.content()):
        assert EVIL not in page(report_of(content))
        assert EVIL not in markdown(report_of(content), {})
    assert escaped("a_b *c* [d] <e> |f|\n_g_") == r"a_b \*c\* \[d\] \<e\> \|f\| \_g\_"


def test_tables_of_a_summary_are_whole_and_long_ones_are_cut() -> None:
    rows = [[f"r{k}", k] for k in range(9)]
    report = Report("r", "run", [Section("s", "S", tables=[Table("t", "T.", [Column("a"), Column("b")], rows, 4)])])
    text = markdown(report, {})
    assert "| r3 | 3 |" in text
    assert "| r4 | 4 |" not in text
    assert "The first 4 of 9; the page shows more." in text
    assert "r8" in page(report)
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3


def test_counts_show_distributions_and_others_do_not() -> None:
    board = ["model", "kind", "rmse", "mse", "wql", "coverage_80", "unused"]
    assert shown_columns(board, counts=True) == ["mse", "wql", "coverage_80", "unused"]
    assert shown_columns(board, counts=False) == ["rmse", "unused"]


def test_densities_stand_side_by_side_in_the_order_of_the_leaderboard() -> None:
    table = pd.DataFrame({
        "model": ["Naive", "Net"] * 2, "bucket": ["dense", "dense", "sparse", "sparse"], "n_series": [3, 3, 5, 5],
        "mse": [2.0, 1.0, 4.0, 3.0], "wql": [np.nan, 0.5, np.nan, np.nan], "coverage_80": [0.8, 0.75, np.nan, np.nan],
    })  # fmt: skip
    report = report_of(pages.content(buckets=table))
    (section,) = [s for s in report.sections if s.id == "density"]
    assert "3 dense, 5 sparse" in section.sentences[0]
    (wide,) = section.tables
    assert [c.name for c in wide.columns] == ["model", "mse, dense", "mse, sparse", "wql, dense", "coverage 80, dense"]
    assert list(wide.rows[0]) == ["Net", 1.0, 3.0, 0.5, 0.75]


def test_ranks_folds_and_interventions_are_told() -> None:
    ranks = pd.DataFrame({
        "model": ["Net", "Naive"], "mean_rank": [1.2, 1.8], "distinguishable_from_best": [False, True],
        "critical_difference": 0.5, "friedman_p": 0.0001, "n_series": 12,
    })  # fmt: skip
    folds = pd.DataFrame({
        "model": ["Naive", "Net"], "mean": [2.0, 1.0], "sd": 0.1, "p95": 3.0, "worst": 4.0,
        "worst_cutoff": pd.Timestamp("2024-01-02"),
    })  # fmt: skip
    text = markdown(report_of(pages.content(
        ranks=ranks, fold_summary=folds, interventions={"Net": {"clipped_low": 3}}, routed={"Net": ranks[["model"]]},
    )), {})  # fmt: skip
    assert "Mean rank over 12 series (Friedman test, p < 0.001); ranks closer than the critical difference 0.50" in (
        text.replace("\\<", "<")
    )
    assert "| Naive | 1.8 | yes |" in text
    assert "| Net | 1 | 0.1 | 3 | 4 | 2024-01-02 |" in text
    assert "forecasts changed after the model, by reason: clipped low 3." in text
    assert "Buckets of Net." in text


# ------------------------------------------------------------------ a search in words
def test_the_summary_of_a_search() -> None:
    text = markdown(report_of(search_pages.content()), {})
    assert text.splitlines()[4] == f"**Net is best. {escaped(EVIL)}**"
    assert "Trials of each model by how they ended, and their time." in text
    assert re.search(r"\| Broken \| 3 \| 0 \| 0 \| 3 \| 0 \| 0 \| 4.5 s \| 7.9% \| – \|", text)
    assert "4 of 38 trials ended without a value that can be compared." in text
    assert f"- {escaped(NET)}: lr (75%; smaller did better, rank correlation +" in text
    assert "me:\\*\\*\\*@host" in text
    table = text[text.index("Every trial with its settings") :]
    best = [line for line in table[: table.index("The first 10 of 38")].splitlines() if line.startswith("| ")][2:]
    assert len(best) == 10
    values = [float(line.split("|")[4]) for line in best]
    assert values == sorted(values)


def test_importances_in_words() -> None:
    table = search_pages.trials()
    own = search_pages.finished(NET)
    rank = stats.spearmanr(own["lr"].astype(float), own["value"]).statistic
    words = importance_words(table, NET, {"lr": 0.7, "cell": 0.2, "hidden": 0.1})
    assert words == f"lr (70%; smaller did better, rank correlation {rank:+.2f})"
    cells = own.assign(cell=own["cell"].map(lambda c: "none" if c is None else c)).groupby("cell")["value"].median()
    known = cells.drop("none")  # a trial without the setting says nothing about it
    assert importance_words(table, NET, {"lr": 1.0, "cell": 3.0}) == f"cell (75%; best median with {known.idxmin()})"
    flipped = table.assign(value=-table["value"])
    assert "larger did better, rank correlation -" in importance_words(flipped, NET, {"lr": 1.0})


def test_no_clear_pattern() -> None:
    table = search_pages.trials()
    even = {"lr": 0.4, "cell": 0.3, "hidden": 0.3}
    assert importance_words(table, NET, even) == "no clear pattern: no parameter stands out"
    assert importance_words(table, NET, {}) == "no clear pattern"
    assert importance_words(table, NET, {"lr": np.nan}) == "no clear pattern"
    assert importance_words(table.assign(value=1.0), NET, {"lr": 1.0}) == "no clear pattern"
    assert importance_words(table, BROKEN, {"lr": 1.0}) == "no clear pattern can be told from 0 finished trials"
    nine = table[table["model"] == RIDGE].iloc[:9]
    assert importance_words(nine, RIDGE, {"alpha": 1.0}) == "no clear pattern can be told from 9 finished trials"
    assert importance_words(table.drop(columns=["alpha"]), RIDGE, {}) == "no parameter was searched"
    assert importance_words(table, RIDGE, {"alpha": 1.0}).startswith("alpha alone was searched; ")


def test_what_each_series_got_is_counted_by_the_value_that_weighs_most() -> None:
    rows = [
        ["a", "recipe", "slow", 0.7, True], ["a", "recipe", "fast", 0.3, True], ["b", "recipe", "slow", 0.6, True],
        ["b", "recipe", "fast", 0.4, True], ["c", "recipe", "fast", 1.0, False],
        *[[name, "season", "7", 1.0, False] for name in "abc"],
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["series", "setting", "value", "weight", "own"])
    many = pd.DataFrame([[f"s{k}", "order", str(k), 1.0, True] for k in range(9)], columns=table.columns)
    section = choices(replace(pages.content(), choices={"M": table, "VAR": many}))
    assert section is not None
    lines = section.tables[0].rows
    assert lines[0] == ["M", "recipe", "slow", 2, pytest.approx(1.3 / 3), "a, b"]
    assert lines[1] == ["M", "recipe", "fast", 1, pytest.approx(1.7 / 3), "c"]
    assert lines[-1] == ["M", "season", "7", 3, 1.0, "all"]
    assert lines[-2] == ["VAR", "order", "3 other values", 3, pytest.approx(3 / 9), ""]
    assert section.sentences[1:] == ["M: 1 series takes what all take, its own rows tell no candidates apart."]
    assert choices(replace(pages.content(), choices={})) is None

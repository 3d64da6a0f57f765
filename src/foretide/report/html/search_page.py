"""The sections of a search's page."""

from __future__ import annotations

import numpy as np

from foretide.report.html import search_tables as tables
from foretide.report.html.chart import Chart
from foretide.report.html.render import Section, render
from foretide.report.html.search_charts import history_chart, importance_chart
from foretide.report.html.search_content import SearchContent
from foretide.report.html.search_slices import pair_chart, slice_chart
from foretide.report.html.search_words import facts_lines, lead, made_lines
from foretide.report.html.tables import Table
from foretide.report.search_trials import by_number

IMPORTANCE = (
    "A setting's importance says how far the best fifth of a model's finished trials differs in it from all of them "
    "(PED-ANOVA), as a share of one. A search tries good regions more often than others, so shares are hints, no tests."
)


def write_search_page(content: SearchContent) -> str:
    """Return the page as HTML.

    Raises
    ------
    ConfigError
        For no trials, and for a table of trials that lacks a column.
    MissingExtraError
        Without plotly or jinja2.
    """
    return render(search_sections(content), name=content.name, kind="search", status=content.status)


def search_sections(content: SearchContent) -> list[Section]:
    """Return the sections, without those that would be empty; raises :class:`ConfigError` as the page."""
    by_number(content.trials)
    boards = _tables(tables.search_board(content), tables.judged_board(content))
    found = [
        Section("summary", "Summary", lead(content), facts_lines(content)),
        Section("leaderboard", "Leaderboard", tables=boards),
        Section("history", "History of the trials", charts=[history_chart(content)]),
        _importance(content),
        _slices(content),
        Section("trials", "Trials", tables=[tables.trials_table(content)]),
        _failures(content),
        _best(content),
        Section(
            "settings", "Settings and versions", lines=made_lines(content), tables=_tables(tables.space_table(content)),
            pre=content.settings,
        ),
    ]  # fmt: skip
    return [section for section in found if section is not None]


def _tables(*parts: Table | None) -> list[Table]:
    return [part for part in parts if part is not None]


def _importance(content: SearchContent) -> Section | None:
    chart = importance_chart(content)
    if chart is None:
        return Section("importance", "Which settings matter", [content.missing]) if content.missing else None
    return Section("importance", "Which settings matter", [IMPORTANCE], charts=[chart])


def _slices(content: SearchContent) -> Section | None:
    charts: list[Chart] = [c for c in (slice_chart(content), pair_chart(content)) if c is not None]
    return Section("slices", "Value by setting", charts=charts) if charts else None


def _failures(content: SearchContent) -> Section | None:
    table = tables.failure_table(content)
    if table is None:
        return None
    n = int(np.sum([cell.value for _, cell, *_ in table.rows]))
    text = f"{n} of {len(content.trials)} trials ended without a value that can be compared."
    return Section("failures", "Failures", [text], tables=[table])


def _best(content: SearchContent) -> Section | None:
    table = tables.best_table(content)
    if table is None and not content.tuned:
        return None
    said = ["tuned.yaml is the configuration with the best settings of every model: foretide run tuned.yaml"]
    return Section(
        "best", "The best settings", said if content.tuned else (), tables=_tables(table), pre=content.tuned,
        pre_name="tuned.yaml",
    )  # fmt: skip

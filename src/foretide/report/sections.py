"""The table of sections: what a report shows, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from foretide.report.content import Content
from foretide.report.run import (
    ablations,
    attention,
    audit,
    boards,
    calibration,
    choices,
    errors,
    forecasts,
    future,
    looks,
)
from foretide.report.search import sections as search
from foretide.report.search.content import SearchContent
from foretide.report.section import Report, Section
from foretide.tuning.trials import by_number

Maker: TypeAlias = Callable[[Content], Section | None]
SearchMaker: TypeAlias = Callable[[SearchContent], Section | None]

SECTIONS: list[Maker] = [
    future.future, boards.summary, boards.leaderboard, ablations.ablations, forecasts.forecasts,
    errors.where_the_error_lies, errors.from_fold_to_fold, boards.densities, calibration.calibration, looks.looks,
    errors.training, boards.models, choices.choices, boards.settings, audit.data,
]  # fmt: skip
"""What makes each section of the report of a run, a backtest or a forecast; None where there is nothing to show."""
SEARCH_SECTIONS: list[SearchMaker] = [
    search.summary, search.leaderboard, search.history, search.importance, search.slices, search.trials,
    search.failures, search.best, search.settings,
]  # fmt: skip
"""The same of a search's."""


def report_of(content: Content | SearchContent) -> Report:
    """Return the report of a run, a backtest, a forecast or a search: all sections that have something to show.

    Parameters
    ----------
    content : Content or SearchContent

    Returns
    -------
    Report

    Raises
    ------
    ConfigError
        For a search without trials, or whose table of trials lacks a column.
    """
    if isinstance(content, SearchContent):
        by_number(content.trials)
        found = [make(content) for make in SEARCH_SECTIONS]
        return Report(content.name, "search", [s for s in found if s is not None], content.status)
    parts = [make(content) for make in SECTIONS]
    data = {**forecasts.explorer_data(content), **attention.explorer_data()}
    return Report(content.name, str(content.facts["kind"]), [s for s in parts if s is not None], content.status, data)

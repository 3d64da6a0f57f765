"""What is in the data, in words and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.audit import FAR
from foretide.report.section import Column, Section, Table, text_of
from foretide.text import time_text, unit_of

if TYPE_CHECKING:
    from foretide.report.content import Content
    from foretide.typing import Bools

MOST_LINES = 10
"""Lines of a table that are seen at first."""
PARTS = ("train", "val", "test")
SPARSE = 0.5
"""Share of zeros from which a series is called mostly zero."""
FIGURES = {
    "min": Column("min"), "mean": Column("mean"), "max": Column("max"), "std": Column("std", "standard deviation"),
    "zeros": Column("zeros", "share of the known values that are zero", "share"),
    "missing": Column("missing", "share of the steps without a value", "share"),
}  # fmt: skip
COLUMNS = {
    "column": Column("column", kind="text"),
    "role": Column("role", "target; past: known up to the cutoff; future: known ahead", "text"), **FIGURES,
}  # fmt: skip
SERIES = {
    "first": Column("first", "time of the first value", "time"),
    "last": Column("last", "time of the last value", "time"),
    "steps": Column("steps", "from the first to the last value", "whole"), **FIGURES,
    "constant_run": Column("constant run", "longest run of one value, in steps", "whole"),
    "spikes": Column(
        "spikes", f"values more than {FAR:g} robust standard deviations from those one season before and after", "whole"
    ),
}  # fmt: skip


def data(content: Content) -> Section:
    """Return the panel's size, roles and parts, the notes of the scores, and what stands out among the series."""
    tables = []
    if content.audit_columns is not None and len(content.audit_columns):
        frame = content.audit_columns
        columns = {str(frame.columns[0]): COLUMNS["column"], **COLUMNS}
        caption = "Every column, over all entities."
        tables.append(Table.of("audit-columns", caption, frame, columns, brief=20, first=MOST_LINES))
    if content.audit_series is not None and len(content.audit_series):
        frame = content.audit_series
        name = str(frame.columns[0])
        columns = {name: Column(name, kind="text"), **SERIES}
        tables.append(Table.of("audit-series", "Every series.", frame, columns, brief=12, first=MOST_LINES))
    return Section("data", "The data", facts=[*panel_lines(content), *audit_lines(content)], tables=tables)


def panel_lines(content: Content) -> list[str]:
    """Return the panel's size, roles and parts, and the notes of the scores."""
    about, parts = content.facts["data"], content.facts.get("parts")
    many = "entity" if about["entities"] == 1 else "entities"
    one = unit_of(about["freq"], plural=False)
    lines = [f"{about['entities']} {many}, {about['rows']} rows, one step is one {one}"]
    roles = (("Forecast", "targets"), ("Known up to the cutoff", "past"), ("Known ahead", "future"))
    lines += [f"{what}: {', '.join(about[key])}" for what, key in roles if about[key]]
    if parts:
        start, train, val, test = (time_text(parts[key]) for key in ("start", *(f"{p}_until" for p in PARTS)))
        when = f"Training from {start} to {train}, validation to {val}, "
        when = "Every series has parts of its own: " if parts.get("own") else when
        lines.append(f"{when}test to {test}; models saw training and validation only")
    if about.get("missing_cells"):
        lines.append(f"{about['missing_cells']} missing cells, masked")
    notes = [] if content.facts["kind"] == "forecast" else [*content.facts["notes"]]  # a forecast's come first
    notes += [] if content.future is not None else content.facts.get("future", {}).get("notes", [])
    return [*lines, *(f"Note: {note}" for note in notes)]


def audit_lines(content: Content) -> list[str]:
    """Say what stands out among the series, and that nothing does where nothing does."""
    table = content.audit_series
    if table is None or not len(table):
        return []
    n = len(table)
    missing, zeros, spikes = (table[c].to_numpy(float) for c in ("missing", "zeros", "spikes"))
    flat = (table["std"].to_numpy(float) == 0) | (table["steps"].to_numpy(float) == 0)
    most = float(np.nanmax(zeros, initial=0.0))
    said = [
        _counted(missing > 0, n, "with missing values", f"up to {np.nanmax(missing, initial=0):.1%} of one"),
        _counted(zeros > SPARSE, n, f"zero more than {SPARSE:.0%} of the time", f"up to {most:.1%}"),
        _counted(flat, n, "without any change"),
        _counted(spikes > 0, n, "with spikes", f"{int(spikes.sum())} values farther than {FAR:g} robust standard "
                 "deviations from those one season before and after"),
        _span(table),
    ]  # fmt: skip
    kept = [text for text in said if text]
    if not kept:
        return [
            f"Nothing stands out in {n} series: no missing value, none that is mostly zero or never changes, no spike "
            f"beyond {FAR:g} robust standard deviations, all of one span"
        ]
    return [f"Of {n} series: {'; '.join(kept)}"]


def _counted(which: Bools, n: int, what: str, more: str = "") -> str:
    count = int(which.sum())
    if not count:
        return ""
    return f"{count if count < n else 'all'} {what}{f' ({more})' if more else ''}"


def _span(table: pd.DataFrame) -> str:
    """How many series begin later or end earlier than others."""
    first, last = table["first"].dropna(), table["last"].dropna()
    if not len(first):
        return ""
    late, early = int((first != first.min()).sum()), int((last != last.max()).sum())
    said = [f"{late} that begin later than {text_of(first.min(), 'time')}"] if late else []
    said += [f"{early} that end before {text_of(last.max(), 'time')}"] if early else []
    return " and ".join(said)

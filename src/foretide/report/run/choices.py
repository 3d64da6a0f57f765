"""What each series got: how many series took which setting, and some of them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from foretide.report.section import Column, Section, Table
from foretide.text import phrase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foretide.report.content import Content

VALUES = 6
"""So many values of a setting have a line of their own."""
EXAMPLES = 3
FIRST = 12
"""Lines of the table that are seen at first."""
COLUMNS = (
    Column("model", kind="text"), Column("setting", kind="text"), Column("value", kind="text"),
    Column("series", "of how many series it is the value that weighs most", "whole"),
    Column("weight", "mean over all series", "share"), Column("such as", kind="text"),
)  # fmt: skip


def choices(content: Content) -> Section | None:
    """Return how many series took which of the settings that were left to the fit; None where none were."""
    found = [
        (model, own) for model, table in content.choices.items() for _, own in table.groupby("setting", sort=False)
    ]
    found.sort(key=lambda one: not one[1]["own"].any())  # what differs from series to series comes first
    rows = [row for model, own in found for row in _rows_of(model, own)]
    if not rows:
        return None
    said = (
        "Settings that were left to the fit, and what it took. A series may average several values by their weights. "
        "Where series differ, a file choices-….csv of the folder has each of them, as model.choices() has."
    )
    silent = [_sharing(model, table) for model, table in content.choices.items()]
    table = Table("choices-table", "By model, setting and value.", COLUMNS, rows, first=FIRST)
    return Section("choices", "What each series got", [said, *filter(None, silent)], tables=[table])


def _rows_of(model: str, own: pd.DataFrame) -> Iterator[list[object]]:
    """Yield the lines of one setting of a model: the values that most series lean on."""
    n, setting = own["series"].nunique(), own["setting"].iloc[0]
    heaviest = own.loc[own.groupby("series", sort=False)["weight"].idxmax()]
    names = {value: part["series"].astype(str).tolist() for value, part in heaviest.groupby("value", sort=False)}
    weight = own.groupby("value", sort=False)["weight"].sum() / n
    order = sorted(weight.index, key=lambda value: (-len(names.get(value, ())), -weight[value]))
    for value in order[:VALUES]:
        found = names.get(value, [])
        shown = ", ".join(found[:EXAMPLES]) + (" …" if len(found) > EXAMPLES else "")
        yield [model, setting, value, len(found), float(weight[value]), "all" if len(found) == n > 1 else shown]
    if rest := order[VALUES:]:
        size, share = sum(len(names.get(value, ())) for value in rest), float(weight[rest].sum())
        yield [model, setting, phrase("other value", len(rest)), size, share, ""]


def _sharing(model: str, table: pd.DataFrame) -> str:
    """Say how many series took what all take, of settings in which others had a say of their own."""
    shared = table[table["setting"].isin(table.loc[table["own"], "setting"]) & ~table["own"]]
    n = shared["series"].nunique()
    what = phrase("series takes what all take, its|series take what all take, their", n)
    return f"{model}: {what} own rows tell no candidates apart." if n else ""

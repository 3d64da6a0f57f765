"""A section of a report as data: sentences, facts, tables, pictures, folded details."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd

from foretide.text import NOTHING, number, time_text

if TYPE_CHECKING:
    from foretide.pictures.picture import Picture
    from foretide.typing import Json

MOST_ROWS, MOST_IN_SUMMARY = 200, 60
Kind: TypeAlias = Literal["number", "share", "change", "p", "whole", "time", "text"]
"""What a column holds: figures, shares (0.1 is 10 %), changes (with a sign), p-values, whole numbers, times, text."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, what it means, and what it holds."""

    name: str
    meaning: str = ""
    kind: Kind = "number"


@dataclass(frozen=True)
class Table:
    """A table of plain values; the first column names the row.

    Attributes
    ----------
    id, caption : str
    columns : sequence of Column
    rows : sequence of sequence
        Values as they are, None or NaN where there is none; text in a column of numbers stays text.
    most : int
        Rows that a summary shows; the page shows all.
    first : int, optional
        Rows that the page shows before a reader asks for the others.
    """

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    most: int = MOST_IN_SUMMARY
    first: int | None = None

    @classmethod
    def of(
        cls, identity: str, caption: str, frame: pd.DataFrame, columns: Mapping[str, Column], *, most: int = MOST_ROWS,
        brief: int = MOST_IN_SUMMARY, of: str = "", first: int | None = None,
    ) -> Table:  # fmt: skip
        """Return the first rows of a frame; ``columns`` says which columns, and ``of`` what a row is, in the plural."""
        kept = {name: column for name, column in columns.items() if name in frame}
        part = frame.head(most)
        cut = f" The first {most} of {len(frame)}{f' {of}' if of else ''}." if len(frame) > most else ""
        rows = list(zip(*(part[name].tolist() for name in kept), strict=True))
        return cls(identity, caption + cut, list(kept.values()), rows, brief, first)


@dataclass(frozen=True)
class Folded:
    """Text to unfold, letter by letter; ``title`` is what can be clicked."""

    title: str
    text: str


@dataclass(frozen=True)
class Explorer:
    """A part of the page with a script of its own.

    Attributes
    ----------
    kind : {"future", "forecasts", "attention"}
    data : dict
        What the script draws from.
    pictures : sequence of Picture
        What stands in files instead.
    """

    kind: Literal["future", "forecasts", "attention"]
    data: Json
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Section:
    """One part of a report, the same on the page and in the summary.

    Attributes
    ----------
    id, title : str
    sentences, facts : sequences of str
        Paragraphs, and lines of a list.
    tables : sequence of Table
    pictures : sequence of Picture
    folded : sequence of Folded
        Only on the page.
    explorer : Explorer, optional
    more : sequence of Section
        Detail: to unfold on the page, under headings of its own in the summary.

    Examples
    --------
    >>> from foretide.report.section import Column, Section, Table
    >>> table = Table("rain", "Rain by month.", [Column("month"), Column("rain")], [["May", 31.25]])
    >>> Section("rain", "Rain", ["It rained."], tables=[table]).title
    'Rain'
    """

    id: str
    title: str
    sentences: Sequence[str] = ()
    facts: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    folded: Sequence[Folded] = ()
    explorer: Explorer | None = None
    more: Sequence[Section] = ()

    @property
    def parts(self) -> list[Section]:
        """Itself, then all detail in it."""
        return [self, *(part for inner in self.more for part in inner.parts)]

    @property
    def all_pictures(self) -> list[Picture]:
        """Pictures of all parts, those of an explorer first."""
        return [
            picture for part in self.parts
            for picture in (*(part.explorer.pictures if part.explorer else ()), *part.pictures)
        ]  # fmt: skip


@dataclass(frozen=True)
class Report:
    """A page: its name, what it is a report of, and its sections.

    Attributes
    ----------
    name, kind : str
        The heading; run, backtest, forecast, search or scorecard.
    sections : sequence of Section
    status : str
        What is to be known first; "" for nothing.
    data : dict
        What the explorers' scripts read beside their own data.
    """

    name: str
    kind: str
    sections: Sequence[Section]
    status: str = ""
    data: Json = field(default_factory=dict)

    @property
    def parts(self) -> list[Section]:
        """All sections, and the detail in each."""
        return [part for section in self.sections for part in section.parts]

    @property
    def pictures(self) -> list[Picture]:
        """Pictures of all sections."""
        return [picture for section in self.sections for picture in section.all_pictures]


def text_of(value: object, kind: Kind) -> str:
    """Return a value of a table as text: four digits, shares in percent, a dash where there is none.

    Parameters
    ----------
    value : object
    kind : str
        Of its column.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.report.section import text_of
    >>> text_of(0.12345, "number"), text_of(0.12345, "share"), text_of(None, "number"), text_of("gru", "number")
    ('0.1235', '12.3%', '–', 'gru')
    """
    if isinstance(value, str | bool | np.bool_):
        return time_text(value) if kind == "time" else str(value)
    figure = sortable(value)
    if figure is None:
        return NOTHING
    if isinstance(value, pd.Timestamp):
        return time_text(value)
    if kind == "p":
        return "< 0.001" if figure < 0.001 else f"{figure:.3f}"
    formats = {"share": ".1%", "change": "+.1%", "whole": ".0f", "time": ".0f"}
    return format(figure, formats[kind]) if kind in formats else number(figure)


def sortable(value: object) -> float | None:
    """Return the number that a value is sorted by; None for text and for nothing."""
    if value is None or value is pd.NA or value is pd.NaT or isinstance(value, str | bool | np.bool_):
        return None
    if isinstance(value, pd.Timestamp):
        return value.timestamp()
    figure = float(value)  # type: ignore[arg-type]
    return figure if math.isfinite(figure) else None

"""The first look at a table in files: which series there are, from when to when, and what its text columns hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.kept import Kept
from foretide.data.opened.files import text_cells
from foretide.data.reading.columns import number_column
from foretide.data.reading.frames import entities_of
from foretide.data.reading.problems import in_column, raise_errors
from foretide.data.reading.rows import rows
from foretide.data.time.times import parse_times
from foretide.errors import DataError

if TYPE_CHECKING:
    from foretide.data.opened.wanted import Wanted
    from foretide.data.reading.frames import FrameView
    from foretide.data.reading.options import Options
    from foretide.typing import Ints

SAMPLED = 64
"""Series whose times say how long a step is."""
SAMPLED_ROWS = 2_000_000


@dataclass(eq=False)
class Scan:
    """What the first look at all rows finds.

    Attributes
    ----------
    ids : list of str
        In order of appearance.
    count, low, high : int arrays ``[N]``
        Rows of each series, its first and last time.
    integer : bool or None
    tz, form : str or None
        Zone of the times, and the ``strptime`` format of text.
    labels : dict
        Text column -> text -> in how many rows.
    static : dict
        Static column -> value of each series.
    sample : list of (codes, times)
        Of the first series.
    runs : int
        Stretches of neighbouring rows of one series.
    """

    ids: list[str] = field(default_factory=list)
    count: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    low: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    high: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    integer: bool | None = None
    tz: str | None = None
    form: str | None = None
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    static: dict[str, list[object]] = field(default_factory=dict)
    sample: list[tuple[Ints, Ints]] = field(default_factory=list)
    runs: int = 0
    _codes: dict[str, int] = field(default_factory=dict)
    _sampled: int = 0

    def add(self, table: FrameView, wanted: Wanted, options: Options) -> None:
        """Take further rows into account.

        Parameters
        ----------
        table : narwhals frame
            At least one row.
        wanted : Wanted
        options : Options

        Raises
        ------
        DataError
            For rows without a time or a name, times of another kind than before, static columns that change.
        """
        codes, times = self.place(table, wanted, options, new=True)
        self.runs += 1 + int(np.count_nonzero(np.diff(codes)))
        more = len(self.ids) - len(self.count)
        if more:
            self.count = np.append(self.count, np.zeros(more, np.int64))
            self.low = np.append(self.low, np.full(more, np.iinfo(np.int64).max))
            self.high = np.append(self.high, np.full(more, np.iinfo(np.int64).min))
        order = np.argsort(codes, kind="stable")
        own, starts = np.unique(codes[order], return_index=True)
        self.count[own] += np.diff(np.append(starts, len(codes)))
        self.low[own] = np.minimum(self.low[own], np.minimum.reduceat(times[order], starts))
        self.high[own] = np.maximum(self.high[own], np.maximum.reduceat(times[order], starts))
        few = codes < SAMPLED
        if few.any() and self._sampled < SAMPLED_ROWS:
            self.sample.append((codes[few], times[few]))
            self._sampled += int(few.sum())
        for name in wanted.numeric:
            if name in wanted.texts:
                self._count_texts(table, name)
        for name in wanted.static:
            self._take_static(table, name, codes, (own, order[starts]), wanted, options)

    def place(self, table: FrameView, wanted: Wanted, options: Options, *, new: bool = False) -> tuple[Ints, Ints]:
        """Return series and time of each row, ``[n]`` each.

        Parameters
        ----------
        table : narwhals frame
        wanted : Wanted
        options : Options
        new : bool
            Whether series may come that were not there before.

        Returns
        -------
        codes, times : int arrays
        """
        found = parse_times(table[wanted.time], options.time_format or self.form)
        raise_errors(found.problems)
        tz = options.tz or found.tz
        if options.tz is not None and not found.aware and not found.integer:
            raise DataError(
                f"Column {wanted.time!r} has no time zone, and tz={options.tz!r} was named. Files that are opened hold "
                f"times with their zone: frame[{wanted.time!r}].dt.tz_localize({options.tz!r}) before writing them."
            )
        if self.integer is None:
            self.integer, self.tz, self.form = found.integer, tz, found.form
        if found.form != self.form:
            raise DataError(
                f"Column {wanted.time!r} seems to be written as {self.form or 'ISO 8601'} at first, and as "
                f"{found.form or 'ISO 8601'} from {rows().name(0)} on. Name the form: time_format='%d.%m.%Y %H:%M'."
            )
        if (found.integer, tz) != (self.integer, self.tz):
            was, now = (_kind_of_times(*kind) for kind in ((self.integer, self.tz), (found.integer, tz)))
            raise DataError(
                f"Column {wanted.time!r} holds {was} at first, and {now} from {rows().name(0)} on. Write them alike."
            )
        if not wanted.ids:
            if new and not self.ids:
                self.ids.append("")
            return np.zeros(len(table), np.int64), found.values
        codes, labels = entities_of(table, wanted.ids)
        what, fix = "row has no identifier|rows have no identifier", "Name the series they belong to, or drop them."
        raise_errors(in_column("id", "/".join(wanted.ids), codes < 0, what, fix))
        if len(wanted.ids) > 1 and any(label.count("/") >= len(wanted.ids) for label in labels):
            raise DataError(f"id={list(wanted.ids)}: a name has a '/' of its own. Write the columns without it.")
        known = np.empty(len(labels), np.int64)
        for k, label in enumerate(labels):
            code = self._codes.get(label)
            if code is None:
                code = self._codes[label] = len(self.ids)
                self.ids.append(label)
            known[k] = code
        return known[codes], found.values

    def _count_texts(self, table: FrameView, name: str) -> None:
        codes, labels = text_cells(table, name)
        counts = np.bincount(codes[codes >= 0], minlength=len(labels))
        own = self.labels.setdefault(name, {})
        for label, n in zip(labels, counts.tolist(), strict=True):
            if n:
                own[label] = own.get(label, 0) + n

    def _take_static(
        self, table: FrameView, name: str, codes: Ints, firsts: tuple[Ints, Ints], wanted: Wanted, options: Options
    ) -> None:
        """Keep the first value of each series; a later one that differs is an error."""
        if name in wanted.texts:
            places, labels = text_cells(table, name)
            cells = np.array([*map(str.strip, labels), None], dtype=object)[places]
        else:
            numbers, problems = number_column(table[name], options.form)
            if numbers is None:
                raise DataError(str(problems[0]))
            cells = numbers.astype(object)
            cells[np.isnan(numbers)] = None
        own = self.static.setdefault(name, [])
        own += [_UNSEEN] * (len(self.ids) - len(own))
        for code, row in zip(*(part.tolist() for part in firsts), strict=True):
            own[code] = cells[row] if own[code] is _UNSEEN else own[code]
        expected = np.array(own, dtype=object)[codes]
        changed = np.asarray(expected != cells)
        if changed.any():
            row = int(np.argmax(changed))
            raise DataError(
                f"Series {self.ids[int(codes[row])]!r}, static column {name!r}: it changes in {rows().name(row)}. "
                "A static column has one value per series; name it past=[...] or future=[...] if it changes."
            )

    def kept(self) -> Kept:
        """Return all of it as arrays and JSON."""
        pairs = self.sample or [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        codes, times = (np.concatenate(part) for part in zip(*pairs, strict=True))
        arrays = dict(zip(_ARRAYS, (self.count, self.low, self.high, codes, times), strict=True))
        return Kept(arrays, {name: getattr(self, name) for name in _FACTS})

    @classmethod
    def restore(cls, kept: Kept) -> Scan:
        """Return what :meth:`kept` gave."""
        count, low, high, codes, times = (np.asarray(kept.arrays[name], np.int64) for name in _ARRAYS)
        own = {label: k for k, label in enumerate(kept.facts["ids"])}
        facts = {name: kept.facts[name] for name in _FACTS}
        return cls(count=count, low=low, high=high, sample=[(codes, times)], _codes=own, **facts)

    def sampled(self) -> tuple[Ints, Ints]:
        """Return series and time of sampled rows, sorted, each time once."""
        codes, times = (np.asarray(self.kept().arrays[name], np.int64) for name in ("codes", "times"))
        order = np.lexsort((times, codes))
        codes, times = codes[order], times[order]
        again = np.concatenate([[False], (np.diff(codes) == 0) & (np.diff(times) == 0)])
        return codes[~again], times[~again]


def _kind_of_times(integer: bool, tz: str | None) -> str:
    """Return what times are, in words."""
    if integer:
        return "integers"
    return "times without a zone" if tz is None else f"times of {tz}"


class _Unseen:
    """No value yet."""


_UNSEEN = _Unseen()
_ARRAYS = ("count", "low", "high", "codes", "times")
_FACTS = ("ids", "integer", "tz", "form", "labels", "static", "runs")

"""The second look at a table in files: every row goes to its place among the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.files import flush_to_disk, storing
from foretide.data.opened.files import text_cells
from foretide.data.reading.columns import number_column
from foretide.data.reading.problems import Place, raise_errors
from foretide.data.reading.regular import off_grid, on_clock
from foretide.data.reading.rows import rows
from foretide.data.time.frequency import fixed_step
from foretide.data.time.stamps import as_ns
from foretide.data.time.zones import from_wall, to_wall
from foretide.data.windows import first_rows
from foretide.errors import DataError

if TYPE_CHECKING:
    from foretide.data.opened.files import Files, Unit
    from foretide.data.opened.scan import Scan
    from foretide.data.opened.wanted import Wanted
    from foretide.data.reading.frames import FrameView
    from foretide.data.reading.options import Options
    from foretide.data.time.grid import Grid
    from foretide.typing import Array, Bools, Ints, Reals

RUN_BYTES = 64 * 2**10
"""Rows of one series that lie together in a file, below which they are sorted on the disk first."""
SORTED_FROM = 512 * 2**20
"""Smaller tables need no sorting: the system keeps them in memory while they are written."""
BUCKET_BYTES = 128 * 2**20
"""Rows of the table that are sorted together."""


@dataclass(frozen=True, eq=False)
class Target:
    """Where rows go.

    Attributes
    ----------
    grid : Grid
    first, length : int arrays ``[N]``
        Grid step of the first row of each series, and its rows.
    codes : dict
        Text column -> text -> its code.
    """

    grid: Grid
    first: Ints
    length: Ints
    codes: dict[str, dict[str, float]]

    @property
    def row0(self) -> Ints:
        """First row of each series."""
        return first_rows(self.length)

    @property
    def rows(self) -> int:
        """Rows of all series."""
        return int(self.length.sum())


def steps_on(grid: Grid, times: Ints, last: int) -> tuple[Ints, Bools]:
    """Return grid steps of times, the last ones not after them, and which of these do not lie on the grid.

    Parameters
    ----------
    grid : Grid
    times : int array ``[n]``
        Nanoseconds, in UTC where there is a zone; or integers.
    last : int
        No time lies after this step.

    Returns
    -------
    steps : int array ``[n]``
    off : bool array ``[n]``
    """
    own = to_wall(times, str(grid.tz)) if grid.wall else times
    step = grid.freq if isinstance(grid.freq, int) else fixed_step(grid.freq)
    if step is not None:
        begin = int(grid.start) if isinstance(grid.freq, int) else int(as_ns(grid.times([0]))[0])
        steps, off = (own - begin) // step, (own - begin) % step != 0
    else:
        every = as_ns(grid.times(np.arange(last + 2)))
        steps = np.searchsorted(every, own, side="right") - 1
        off = every[np.maximum(steps, 0)] != own
    if grid.wall and off.any():  # a label that the clock skips is the first time after it
        rows = np.flatnonzero(off)
        off[rows] = from_wall(as_ns(grid.times(steps[rows])), str(grid.tz)) != times[rows]
    return np.asarray(steps, dtype=np.int64), np.asarray(off)


@dataclass(eq=False)
class Filling:
    """Puts rows where they belong; goes on where an earlier process stopped.

    Attributes
    ----------
    files : Files
    units : list of Unit
    scan : Scan
    wanted : Wanted
    options : Options
    target : Target
    values : float array ``[R, C]``
        Mapped from a file.
    seen : uint8 array ``[R]``
        1 where a row has come; mapped from a file.
    folder : Path
        For what is sorted on the disk.
    """

    files: Files
    units: list[Unit]
    scan: Scan
    wanted: Wanted
    options: Options
    target: Target
    values: Reals
    seen: Array
    folder: Path

    @property
    def sorts(self) -> bool:
        """Whether rows are sorted on the disk first, as those of one series lie too far apart."""
        run = self.values.nbytes / max(self.scan.runs, 1)
        return self.values.nbytes > SORTED_FROM and run < RUN_BYTES

    def run(self, done: dict[str, list[int]], keep: Callable[[dict[str, list[int]]], None]) -> None:
        """Write all rows.

        Parameters
        ----------
        done : dict
            How far an earlier process came; empty for the first one.
        keep : callable
            Is told how far the work is, once what it says is on the disk.
        """
        with storing(self.folder, "Name a folder with more room: cache=..., or FORETIDE_CACHE."):
            self._run(done, keep)

    def _run(self, done: dict[str, list[int]], keep: Callable[[dict[str, list[int]]], None]) -> None:
        sizes = done.get("sizes", [0] * self._n_buckets if self.sorts else [])
        for k, size in enumerate(sizes):  # what a killed process wrote after its last note
            with self._bucket(k).open("ab") as file:
                if file.tell() < size:
                    self._run({}, keep)
                    return
                file.truncate(size)
        for unit in range(done.get("units", [0])[0], len(self.units)):
            for batch in self.files.batches(self.units[unit], self._columns, self.wanted.ids):
                with batch.named():
                    rows, block = self._rows(batch.table)
                if self.sorts:
                    sizes = self._spill(rows, block, sizes)
                else:
                    self._write(rows, block)
            for k in range(len(sizes)):
                flush_to_disk(self._bucket(k))
            keep({"units": [unit + 1], "sizes": sizes})
        for bucket in range(done.get("buckets", [0])[0], len(sizes)):
            self._gather(bucket)
            keep({"units": [len(self.units)], "sizes": sizes, "buckets": [bucket + 1]})

    @property
    def _columns(self) -> Sequence[str]:
        return (*self.wanted.ids, self.wanted.time, *self.wanted.numeric)

    def _rows(self, table: FrameView) -> tuple[Ints, Reals]:
        """Return the place of each row, ``[n]``, and its values ``[n, C]``."""
        codes, times = self.scan.place(table, self.wanted, self.options)
        steps, off = steps_on(self.target.grid, times, int((self.target.first + self.target.length).max()))
        if off.any():
            order = np.lexsort((times, codes))
            place = Place(tuple(self.scan.ids), codes[order], times[order], bool(self.scan.integer), self.scan.tz)
            fix = f"The first in the files is {rows().name(int(np.argmax(off)))}. Name another frequency: freq=..."
            raise_errors(off_grid(off[order], place, self.target.grid.freq, fix))
        block = np.empty((len(codes), len(self.wanted.numeric)), dtype=self.values.dtype)
        for k, name in enumerate(self.wanted.numeric):
            if name in self.wanted.texts:
                places, labels = text_cells(table, name)
                known = [*(self.target.codes[name].get(label, np.nan) for label in labels), np.nan]
                block[:, k] = np.array(known)[places]
                continue
            column, problems = number_column(table[name], self.options.form)
            if column is None:
                raise DataError(str(problems[0]))
            with np.errstate(over="ignore"):
                block[:, k] = column
        return self.target.row0[codes] + steps - self.target.first[codes], block

    def _write(self, rows: Ints, block: Reals) -> None:
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            self.values[rows[0] : rows[-1] + 1] = block
            self.seen[rows[0] : rows[-1] + 1] = 1
        else:
            self.values[rows] = block
            self.seen[rows] = 1

    # ---------------------------------------------------------------- sorted on the disk
    @property
    def _bucket_rows(self) -> int:
        return max(1, BUCKET_BYTES // (self.values.itemsize * max(int(self.values.shape[1]), 1)))

    @property
    def _n_buckets(self) -> int:
        return -(-len(self.values) // self._bucket_rows)

    def _bucket(self, k: int) -> Path:
        return self.folder / f"rows-{k:05d}.bin"

    @property
    def _record(self) -> np.dtype[np.void]:
        return np.dtype([("row", np.int64), ("values", self.values.dtype, (self.values.shape[1],))])

    def _spill(self, rows: Ints, block: Reals, sizes: list[int]) -> list[int]:
        """Append rows to the files of their stretch of the table; return the sizes of these."""
        bucket = rows // self._bucket_rows
        order = np.argsort(bucket, kind="stable")
        own, starts = np.unique(bucket[order], return_index=True)
        sizes = list(sizes)
        for k, some in zip(own.tolist(), np.split(order, starts[1:]), strict=True):
            part = np.empty(len(some), self._record)
            part["row"], part["values"] = rows[some], block[some]
            with self._bucket(k).open("ab") as file:
                part.tofile(file)
            sizes[k] += part.nbytes
        return sizes

    def _gather(self, k: int) -> None:
        """Write the rows of one stretch of the table."""
        path, most = self._bucket(k), max(1, BUCKET_BYTES // 8 // self._record.itemsize)
        if not path.exists():
            return
        with path.open("rb") as file:
            while len(part := np.fromfile(file, self._record, most)):
                self._write(part["row"], part["values"])


def target_of(scan: Scan, grid: Grid, codes: dict[str, dict[str, float]]) -> Target:
    """Return where the rows of a table go.

    Parameters
    ----------
    scan : Scan
    grid : Grid
        On which the sampled rows lie; its start is moved to the earliest of all.
    codes : dict
        Text column -> text -> its code.

    Returns
    -------
    Target

    Raises
    ------
    DataError
        Where a first or last time lies off the grid.
    """
    n, codes_twice = len(scan.ids), np.repeat(np.arange(len(scan.ids)), 2)
    both = np.stack([scan.low, scan.high], axis=1).ravel()
    place = Place(tuple(scan.ids), codes_twice, both, bool(scan.integer), scan.tz)
    own, zone = (to_wall(both, str(grid.tz)), grid.tz) if grid.wall else (both, None)
    found, steps, off = on_clock(place, own, grid.freq, zone)
    raise_errors(off_grid(off, place, found.freq))
    ends = steps.reshape(n, 2)
    return Target(found, ends[:, 0], ends[:, 1] - ends[:, 0] + 1, codes)

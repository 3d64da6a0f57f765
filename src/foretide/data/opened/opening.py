"""From Parquet files to a panel whose values are mapped from one file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from foretide.data.files import write_text
from foretide.data.kept import ENDING, read, write
from foretide.data.opened.cache import (
    PROGRESS,
    SEEN,
    VALUES,
    alone,
    cache_folder,
    forget_others,
    mapped,
    read_json,
    seal,
    unseal,
)
from foretide.data.opened.checks import check_cells, check_rows, rows_twice, too_long
from foretide.data.opened.files import Files, find_files
from foretide.data.opened.fill import Filling, Target, target_of
from foretide.data.opened.scan import Scan
from foretide.data.opened.wanted import Wanted, wanted_of
from foretide.data.reading.categories import are_words
from foretide.data.reading.options import Options
from foretide.data.reading.problems import DataWarning, Place, Problem, raise_errors
from foretide.data.reading.regular import grid_of, no_frequency, unfit_freq
from foretide.data.reading.surveys import REPEATED, options_of
from foretide.data.static import Names, Static
from foretide.data.tables.form import Form, Origin
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, DataError

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.reading.roles import Roles
    from foretide.typing import Json

_FORM = 2
"""Changes when columns are laid out in another way."""
_LOOK = "look"
REFUSED = ("resample", "aggregate", "melt", "sep", "encoding", "decimal", "thousands")
"""Options of reading that change rows, or are of text."""


def open_panel(
    kind: type[Panel], path: str | os.PathLike[str], id: str | Sequence[str] | None, roles: Mapping[str, object],
    cache: str | os.PathLike[str] | None, options: Mapping[str, object],
) -> Panel:  # fmt: skip
    """Return what :meth:`foretide.Panel.open` does.

    Parameters
    ----------
    kind : type of Panel
    path, id, cache
        As there.
    roles : mapping
        ``time, target, past, future, static`` -> column or columns.
    options : mapping
        How the rows are read.

    Returns
    -------
    Panel
    """
    panel, problems = open_quietly(kind, path, id, roles, cache, options)
    if problems:
        warnings.warn("\n".join(problems), DataWarning, stacklevel=3)
    return panel


def open_quietly(
    kind: type[Panel], path: str | os.PathLike[str], id: str | Sequence[str] | None, roles: Mapping[str, object],
    cache: str | os.PathLike[str] | None, options: Mapping[str, object],
) -> tuple[Panel, list[str]]:  # fmt: skip
    """Return a panel, and what one would be warned of.

    Parameters
    ----------
    kind, path, id, roles, cache, options
        As for :func:`open_panel`.

    Returns
    -------
    Panel, list of str
    """
    chosen = options_of(options)
    for name in REFUSED:
        if getattr(chosen, name) != getattr(Options, name):
            raise ConfigError(f"Files that are opened are taken as they are: leave {name} out, or use Panel.read(...).")
    chosen, files = chosen.checked(), find_files(path)
    columns = wanted_of(files, id, roles)
    decided_by = (_FORM, os.path.abspath(os.path.expanduser(os.fspath(path))), *columns, asdict(chosen))
    digest = hashlib.sha256(repr(decided_by).encode()).hexdigest()[:16]
    home = cache_folder(cache) / "opened" / digest
    folder = home / files.mark
    with alone(home):
        facts = unseal(folder)
        if facts is None:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                facts = _make(kind, folder, files, columns, chosen, os.path.basename(os.path.abspath(path)))
                if find_files(path).mark != files.mark:
                    raise DataError(f"Files of {path} changed while they were read. Open them again once they rest.")
            except DataError:  # with these files it would be the same again
                shutil.rmtree(folder, ignore_errors=True)
                raise
        forget_others(folder)
    return _panel(kind, folder, facts, "r"), facts["warnings"]


def _make(
    kind: type[Panel], folder: Path, files: Files, columns: tuple[Wanted, Roles], options: Options, source: str
) -> Json:
    """Write the columns of a table, or go on where an earlier process stopped; return what is known of them."""
    wanted, roles = columns
    if not files.rows:
        raise DataError("The files have no rows. Expected at least one row per time.")
    single = all(pa.types.is_float32(kind) for n in wanted.numeric for kind in files.types[n])
    dtype = np.dtype(np.float32 if single else np.float64)
    units = files.units(dtype.itemsize * len(wanted.numeric))
    scan = _look(folder, files, wanted, options)
    categories = {
        name: _labels(name, files, scan.labels.get(name, {})) for name in wanted.numeric if name in wanted.texts
    }
    codes = {name: {label: float(k) for k, label in enumerate(own)} for name, own in categories.items()}
    target = target_of(scan, _grid(scan, options), codes)
    raise_errors(too_long(scan, target))
    facts = _facts(scan, target, wanted, roles, options, dtype, categories, source)
    progress = read_json(folder / PROGRESS)
    shape = (target.rows, len(wanted.numeric))
    values = mapped(folder / VALUES, dtype, shape, new=progress is None)
    seen = mapped(folder / SEEN, np.dtype(np.uint8), shape[:1], new=progress is None)

    def keep(done: dict[str, list[int]]) -> None:
        for array in (values, seen):
            array.flush()  # type: ignore[attr-defined]  # of a memmap
        write_text(folder / PROGRESS, json.dumps(done))

    Filling(files, units, scan, wanted, options, target, values.view(np.ndarray), seen.view(np.ndarray), folder).run(
        progress or {}, keep
    )
    panel = _panel(kind, folder, facts, "r+")
    find = partial(rows_twice, files, scan, wanted, options)
    raise_errors(check_rows(panel, seen.view(np.ndarray), scan, options, find))
    problems = check_cells(panel, seen.view(np.ndarray), roles, options)
    raise_errors(problems)
    facts["warnings"] = [str(p) for p in problems if p.severity == "warning"]
    values.flush()  # type: ignore[attr-defined]
    seal(folder, facts)
    return facts


def _look(folder: Path, files: Files, wanted: Wanted, options: Options) -> Scan:
    """Return what the first look at all rows finds, or what it found before."""
    path = folder / f"{_LOOK}{ENDING}"
    kept = read(path)
    if kept is not None:
        return Scan.restore(kept)
    scan = Scan()
    for unit in files.units(8 * len(wanted.looked_at)):
        for batch in files.batches(unit, wanted.looked_at, wanted.ids):
            if len(batch.table):
                with batch.named():
                    scan.add(batch.table, wanted, options)
    write(path, scan.kept())
    return scan


def _grid(scan: Scan, options: Options) -> Grid:
    """Return the grid on which the times of the first series lie."""
    codes, times = scan.sampled()
    place = Place(tuple(scan.ids), codes, times, bool(scan.integer), scan.tz)
    raise_errors(unfit_freq(options.freq, integer=bool(scan.integer)))
    found = grid_of(place, options.freq, resampled=False)
    if found is None:
        raise DataError(str(no_frequency(place)))
    return found[0]


def _labels(name: str, files: Files, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the categories of a text column, sorted; an error where it holds numbers."""
    labels = pd.Series(list(counts), dtype=object)
    categorical = any(map(pa.types.is_dictionary, files.types[name]))
    if len(labels) and not categorical and not are_words(labels, np.array(list(counts.values()))):
        raise DataError(f"Column {name!r} holds numbers written as text. Write it as numbers.")
    return tuple(sorted(counts))


def _facts(
    scan: Scan, target: Target, wanted: Wanted, roles: Roles, options: Options, dtype: np.dtype[np.generic],
    categories: dict[str, tuple[str, ...]], source: str,
) -> Json:  # fmt: skip
    """Return all that a panel needs beside its values, as JSON."""
    grid, static = target.grid, {}
    reading = {name: value for name in REPEATED if (value := getattr(options, name)) != getattr(Options, name)}
    labels: dict[str, list[str]] = {}
    for name in wanted.static:
        cells = scan.static[name]
        if name in wanted.texts:
            labels[name] = sorted({str(cell) for cell in cells if cell is not None})
            place = {label: float(k) for k, label in enumerate(labels[name])}
            cells = [None if cell is None else place[str(cell)] for cell in cells]
        if options.missing == "error" and None in cells:
            name_of = scan.ids[cells.index(None)]
            text = f"Series {name_of!r}, column {name!r}: missing static value."
            raise_errors([Problem("missing", text, 'Fill it in, or keep it marked: missing="mask".')])
        static[name] = cells
    start = int(grid.start) if grid.is_integer else int(pd.Timestamp(grid.start).as_unit("ns").value)
    return {
        "dtype": dtype.str, "ids": scan.ids, "grid": [start, grid.freq, grid.tz, grid.wall],
        "first": target.first.tolist(), "length": target.length.tolist(),
        "roles": {role: list(getattr(roles, role)) for role in ("target", "past", "future")},
        "static": static, "static_labels": labels, "categories": categories, "id": roles.id or "unique_id",
        "time": roles.time, "time_format": scan.form, "reading": reading,
        "name": source, "warnings": [],
    }  # fmt: skip


def _panel(kind: type[Panel], folder: Path, facts: Json, mode: str) -> Panel:
    """Return the panel over the columns in a folder."""
    length = np.array(facts["length"], dtype=np.int64)
    row0 = (np.cumsum(length) - length).astype(np.int64)
    start, freq, tz, wall = facts["grid"]
    grid = Grid(start if isinstance(freq, int) else pd.Timestamp(start), freq, tz, wall)
    targets, past, future = (tuple(facts["roles"][role]) for role in ("target", "past", "future"))
    shape = (int(length.sum()), len(targets) + len(past) + len(future))
    values = np.memmap(folder / VALUES, dtype=facts["dtype"], mode=mode, shape=shape).view(np.ndarray)  # type: ignore[call-overload]
    names, static = tuple(facts["static"]), Static()
    if names:
        table = np.array([facts["static"][name] for name in names], dtype=np.float64).T
        static = Static(names, table, {name: tuple(own) for name, own in facts["static_labels"].items()})
    categories = {name: tuple(own) for name, own in facts["categories"].items()}
    first = np.array(facts["first"], dtype=np.int64)
    names_of = Names(facts["id"], facts["time"], time_format=facts["time_format"], reading=facts["reading"])
    return kind(
        grid, tuple(facts["ids"]), values, row0, length, first, targets, past, future, static,
        names_of, Origin(facts["name"], Form()), categories,
    )  # fmt: skip

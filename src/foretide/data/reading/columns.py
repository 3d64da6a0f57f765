"""Numeric and static columns of a frame, and what is wrong with their values."""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa

from foretide.data.reading.categories import check_labels, holds_categories, read_categories, sorted_codes
from foretide.data.reading.frames import codes_of, is_number, numbers, strings
from foretide.data.reading.problems import Place, Problem, Severity, located, where
from foretide.data.reading.rows import rows
from foretide.data.static import Static
from foretide.data.tables.form import Form
from foretide.data.tables.numerals import convert, doubt, look, plain_numbers, settle
from foretide.text import phrase
from foretide.typing import Bools, Ints, Reals

if TYPE_CHECKING:
    from foretide.data.reading.frames import ColumnView, FrameView
    from foretide.data.reading.options import Options
    from foretide.data.reading.roles import Roles
    from foretide.data.reading.survey import Survey

_CHANGES = "A static column has one value per series; name it past=[...] or future=[...] if it changes."


def read_columns(
    table: FrameView, roles: Roles, order: Ints, place: Place, options: Options
) -> tuple[Reals, list[Problem], Static, dict[str, tuple[str, ...]]]:
    """Return the values of all columns, the problems found, the static part, and categories.

    Text in a column that is no target becomes codes, whose labels are the categories. A column that is absent or holds
    no numbers otherwise is NaN; what is wrong with it is among the problems.

    Parameters
    ----------
    table : narwhals frame
    roles : Roles
    order : int array ``[R]``
        Rows of the table that are used, in order.
    place : Place
        Of these rows.
    options : Options

    Returns
    -------
    values : float array ``[R, C]``
    problems : list of Problem
    static : Static
    categories : dict of str to tuple of str
    """
    problems: list[Problem] = []
    categories: dict[str, tuple[str, ...]] = {}
    single = all(c in table.columns and table[c].dtype == nw.Float32 for c in roles.numeric)
    values = np.full((len(place.times), len(roles.numeric)), np.nan, dtype=np.float32 if single else np.float64)
    for k, name in enumerate(roles.numeric):
        if name not in table.columns:
            continue
        column: Reals | None
        if name not in roles.target and holds_categories(table[name]):
            column, categories[name] = read_categories(table[name])
        else:
            column, problem = number_column(table[name], options.form)
            problems += problem
        if column is not None:
            values[:, k] = column[order]
    known = tuple(name for name in roles.static if name in table.columns)
    static, found = _read_static(table, known, order, place, options.missing)
    return values, problems + found, static, categories


def number_column(series: ColumnView, form: Form) -> tuple[Reals | None, list[Problem]]:
    """Return a column as floats.

    Empty columns, Decimal, mixed objects and numbers written as text pass.

    Parameters
    ----------
    series : narwhals series ``[R]``
    form : Form
        How its text is written.

    Returns
    -------
    values : float array ``[R]`` or None
        NaN where missing; None where the column holds no numbers.
    problems : list of Problem
    """
    if is_number(series):
        return numbers(series), []
    column, name = strings(series), str(series.name)
    known = column.notna().to_numpy()
    if not known.any():
        return np.full(len(column), np.nan), []
    if pd.api.types.infer_dtype(column, skipna=True).startswith(("date", "time", "period")):
        text = f"Column {name!r} holds dates, not numbers."
        return None, [Problem("words", text, "Leave it out, or name it: time='...'.", column=name)]
    cells = [None if not k else v if isinstance(v, str) else _as_text(v) for k, v in zip(known, column, strict=True)]
    found = look(name, pa.array(cells, pa.string()), form)
    pair = settle([found], Form(), form.sep).get(name)
    if pair is not None:
        values, problem = convert(found, pair)
        return None if values is None else values.astype(np.float64), [] if problem is None else [problem]
    problem = doubt(found, form)
    if problem is None:
        bad = known & np.isnan(plain_numbers(cells))
        row, n = int(np.argmax(bad)), int(bad.sum())
        text = f"Column {name!r} holds text: {n} values are no numbers, the first is {column[row]!r} in "
        text += f"{rows().name(row)}."
        fix = "A target holds numbers: name another column, target='...'."
        problem = Problem("words", text, fix, column=name, count=n)
    return None, [problem]


def _as_text(cell: object) -> str:
    """Return a cell that is no text as the text of its number; what is none stays readable in messages."""
    if isinstance(cell, (bool, np.bool_)):
        return str(int(cell))
    if isinstance(cell, int) and cell.bit_length() > 2000:  # beyond what a float holds, and Python writes out
        return f"{'-' * (cell < 0)}1e{cell.bit_length() * 3 // 10}"
    return str(cell) if isinstance(cell, (int, float, decimal.Decimal, np.number)) else repr(cell)


def _read_static(
    table: FrameView, names: tuple[str, ...], order: Ints, place: Place, missing: str
) -> tuple[Static, list[Problem]]:
    """Return one row of static values per entity, and the columns that change within one."""
    if not names or not len(place.codes):
        return Static(), []
    present, starts = np.unique(place.codes, return_index=True)
    row = np.repeat(starts, _sizes(starts, len(place.codes)))
    values, categories = np.full((len(place.ids), len(names)), np.nan), {}
    problems: list[Problem] = []
    for k, name in enumerate(names):
        if is_number(table[name]):
            cells = numbers(table[name])[order].astype(np.float64)
        else:
            codes, categories[name] = sorted_codes(*codes_of(table[name]))
            cells = codes[order]
        values[present, k] = cells[starts]
        changed = (cells != cells[row]) & ~(np.isnan(cells) & np.isnan(cells[row]))
        what = "row differs from the first one|rows differ from the first one"
        problems += located("static", changed, place, what, _CHANGES, column=name)
        if missing == "error":
            fix, empty = 'Fill it in, or keep it marked: missing="mask".', starts[np.isnan(cells[starts])]
            what = "missing static value|missing static values"
            problems += located("missing", empty, place, what, fix, column=name)
    return Static(names, values, categories), problems


def check_infinite(survey: Survey) -> list[Problem]:
    """Report infinite values, or turn them into missing ones where the policy allows (in place).

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    list of Problem
    """
    problems: list[Problem] = []
    for k, name in enumerate(survey.roles.numeric):
        endless = np.isinf(survey.values[:, k])
        if survey.options.missing == "error":
            fix = 'Correct it, or treat it as missing: missing="mask" (or "ffill").'
            what = "infinite value|infinite values"
            problems += located("infinite", endless, survey.place, what, fix, column=name)
        else:
            survey.values[endless, k] = np.nan
            what = "infinite value is taken as missing|infinite values are taken as missing"
            problems += _noted(name, what, int(endless.sum()), kind="infinite")
    return problems


def check_values(survey: Survey) -> list[Problem]:
    """Apply the policy for missing values (in place) and return what is wrong with the values.

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    list of Problem
    """
    values, place, roles = survey.values, survey.place, survey.roles
    _, starts = np.unique(place.codes, return_index=True)
    unread = {p.column for p in survey.problems if p.kind in ("text", "words", "column")}
    observed = _observed(values[:, : len(roles.target)], starts)
    # Rows after the last observed target belong to the future: only columns known ahead have values there.
    beyond = _after_last(values[:, : len(roles.target)], starts)
    problems: list[Problem] = []
    for k, name in enumerate(roles.numeric):
        if name in unread:
            continue
        if name in survey.categories:
            problems += check_labels(name, values[:, k], survey.categories[name])
            continue
        exempt = beyond if roles.future and name not in roles.future else np.zeros(len(values), dtype=bool)
        if survey.options.missing == "ffill" and name not in roles.future:
            # A series ends at its own last observation; what comes after must not be made up.
            exempt = _after_last(values[:, [k]], starts) if name in roles.target else beyond
        problems += _check_missing(survey, k, exempt, starts)
        problems += check_constant(values[:, k], name, place, starts)
    if not unread.intersection(roles.target) and roles.target:
        problems += _check_lengths(survey, observed, starts)
    return problems


def _sizes(starts: Ints, rows: int) -> Ints:
    return np.diff(np.append(starts, rows))


def _observed(targets: Reals, starts: Ints) -> Ints:
    """Return the rows of each entity up to its last observed target."""
    seen = np.zeros(len(targets), dtype=bool)
    for k in range(targets.shape[1]):
        seen |= ~np.isnan(targets[:, k])
    last = np.maximum.reduceat(np.where(seen, np.arange(len(seen)), -1), starts)
    return np.where(last >= 0, last - starts + 1, 0)


def _after_last(column: Reals, starts: Ints) -> Bools:
    sizes = _sizes(starts, len(column))
    return np.arange(len(column)) - np.repeat(starts, sizes) >= np.repeat(_observed(column, starts), sizes)


def _check_missing(survey: Survey, k: int, exempt: Bools, starts: Ints) -> list[Problem]:
    name, missing = survey.roles.numeric[k], np.isnan(survey.values[:, k]) & ~exempt
    if not missing.any():
        return []
    if survey.options.missing == "ffill":
        source = np.maximum.accumulate(np.where(missing, -1, np.arange(len(missing))))
        known = source >= np.repeat(starts, _sizes(starts, len(missing)))
        fill = missing & known
        survey.values[fill, k] = survey.values[source[fill], k]
        what = "leading missing value stays|leading missing values stay"
        return _noted(name, what, int((missing & ~known).sum()))
    if survey.inserted is not None:
        missing &= ~survey.inserted
    if survey.options.missing == "mask":
        return _noted(name, "missing value is kept as such|missing values are kept as such", int(missing.sum()))
    fix = 'Fill it in, keep it marked: missing="mask", or fill forward: missing="ffill".'
    return located("missing", missing, survey.place, "missing value|missing values", fix, column=name)


def _noted(name: str, what: str, n: int, kind: str = "missing") -> list[Problem]:
    return [Problem(kind, f"{where('', name)}{phrase(what, n)}.", column=name, count=n, severity="note")] if n else []


def check_constant(column: Reals, name: str, place: Place, starts: Ints) -> list[Problem]:
    """Return whether a column never changes, in all series or in some of them.

    Parameters
    ----------
    column : float array ``[R]``
    name : str
    place : Place
        Of all rows.
    starts : int array ``[N]``
        First row of each entity.

    Returns
    -------
    list of Problem
    """
    low, high = np.fmin.reduceat(column, starts), np.fmax.reduceat(column, starts)
    least, most = np.fmin.reduce(low), np.fmax.reduce(high)
    if np.isnan(least) or (least == most and np.count_nonzero(~np.isnan(column)) > len(starts)):
        # One value per series says nothing.
        text = "no value at all" if np.isnan(least) else f"always {least:g}, so nothing can be learned from it"
        text = f"{where('', name)}{text}."
        return [Problem("constant", text, "Leave it out.", column=name, count=len(column), severity="warning")]
    same = np.flatnonzero((low == high) & (np.add.reduceat(~np.isnan(column), starts, dtype=np.int64) > 1))
    if not same.size:
        return []
    entity = place.ids[place.codes[starts[same[0]]]]
    text = f"{where(entity, name)}always {low[same[0]]:g}"
    text += "." if same.size == 1 else f" ({same.size} of {len(starts)} series are constant in this column)."
    return [Problem("constant", text, entity=entity, column=name, count=int(same.size), severity="note")]


def _check_lengths(survey: Survey, observed: Ints, starts: Ints) -> list[Problem]:
    """Return series without an observed target, and series shorter than one window."""
    place, sizes = survey.place, {"input_size": survey.options.input_size, "h": survey.options.h}
    target = survey.roles.target[0] if len(survey.roles.target) == 1 else None
    # A table may bring what is known ahead of a series whose past a fitted model has seen.
    severity: Severity = "note" if survey.roles.future else "error"
    what = "series without any observed target|"
    problems = located(
        "unobserved", starts[observed == 0], place, what, "Drop it.", column=target, severity=severity
    )  # fmt: skip
    need = sum(size or 0 for size in sizes.values())
    short = np.flatnonzero((observed < need) & (observed > 0))
    if not short.size:
        return problems
    first, several = int(short[0]), short.size > 1
    entity, time = place.ids[place.codes[starts[first]]], place.time(int(starts[first]))
    parts = " + ".join(f"{name}={size}" for name, size in sizes.items() if size)
    text = f"{where(entity, target)}{phrase('observed row', int(observed[first]))} from {time}, "
    text += f"one window needs {need} ({parts})."
    if several:
        text += f" ({short.size} of {len(starts)} series are too short, the shortest has {int(observed[short].min())}.)"
    fix = "Drop them, or lower input_size." if several else "Lower input_size, or give it more rows."
    return [*problems, Problem("short", text, fix, entity or None, target, time, int(short.size))]

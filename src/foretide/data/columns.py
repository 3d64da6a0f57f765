"""Numeric and static columns of a frame, and what is wrong with their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from foretide.data.frames import codes_of, is_number, numbers, strings
from foretide.data.panel import Static
from foretide.data.problems import Place, Problem, located, where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.survey import Roles, Survey

Order = Any


def read_columns(
    table: nw.DataFrame[Any], roles: Roles, order: Order, place: Place, missing: str
) -> tuple[NDArray[np.floating], list[Problem], Static]:
    """Return the values ``[R, C]`` in the given order of rows, the problems found, and the static part."""
    problems: list[Problem] = []
    single = all(c in table.columns and table[c].dtype == nw.Float32 for c in roles.numeric)
    values = np.full((len(place.times), len(roles.numeric)), np.nan, dtype=np.float32 if single else np.float64)
    for k, name in enumerate(roles.numeric):
        if name not in table.columns:
            continue
        if is_number(table[name]):
            values[:, k] = numbers(table[name])[order]
            continue
        column, problem = _unusual(table[name])
        problems += problem
        if column is not None:
            values[:, k] = column[order]
    known = tuple(name for name in roles.static if name in table.columns)
    static, found = _read_static(table, known, order, place, missing)
    return values, problems + found, static


def _unusual(series: nw.Series[Any]) -> tuple[NDArray[np.float64] | None, list[Problem]]:
    """Return a column that is no number by type: empty, Decimal or mixed objects pass; text is a problem."""
    column = strings(series)
    name = str(series.name)
    if column.isna().all():
        return np.full(len(column), np.nan), []
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("decimal", "mixed-integer-float", "boolean", "floating", "integer"):
        return pd.to_numeric(column.astype(object).where(column.notna(), np.nan)).to_numpy(dtype=np.float64), []
    return None, [_not_numeric(column, name, kind)]


def _not_numeric(column: pd.Series[Any], name: str, kind: str) -> Problem:
    if kind.startswith(("datetime", "date", "timedelta", "period")):
        return Problem(
            "text", f"Column {name!r} holds dates, not numbers.", "Leave it out, or name it: time='...'.", column=name
        )
    parsed = pd.to_numeric(column, errors="coerce")
    bad = parsed.isna() & column.notna()
    if not bad.any():
        return Problem(
            "text", f"Column {name!r} holds numbers stored as text, such as {column[column.first_valid_index()]!r}.",
            f"Convert it: frame[{name!r}] = pd.to_numeric(frame[{name!r}]), "
            f"or polars: frame.with_columns(pl.col({name!r}).cast(pl.Float64)).", column=name,
        )
    row, n = int(np.argmax(bad.to_numpy())), int(bad.sum())
    value = column[row]
    if bad.mean() < 0.5:
        fix = f"Correct these values, then: frame[{name!r}] = pd.to_numeric(frame[{name!r}], errors='coerce')."
    elif isinstance(value, str) and pd.notna(pd.to_numeric(value.replace(".", "").replace(",", "."), errors="coerce")):
        fix = "It has a decimal comma: Panel.read(..., decimal=',')."
    else:
        fix = "Leave it out, make it static=[...] if it does not change, or encode it: pd.get_dummies(frame[...])."
    return Problem("text", f"Column {name!r} holds text: {n} values are no numbers, the first is {value!r} in row {row}.",
                   fix, column=name, count=n)


def _read_static(
    table: nw.DataFrame[Any], names: tuple[str, ...], order: Order, place: Place, missing: str
) -> tuple[Static, list[Problem]]:
    """Return one row of static values per entity, and the columns that change within one."""
    if not names or not len(place.codes):
        return Static(), []
    n = len(place.ids)
    present, starts = np.unique(place.codes, return_index=True)
    values, categories, problems = np.full((n, len(names)), np.nan), {}, []
    for k, name in enumerate(names):
        series = table[name]
        if is_number(series):
            cells = numbers(series)[order].astype(np.float64)
        else:
            codes, labels = codes_of(series)
            rank = np.argsort(np.argsort(labels)) if labels else np.zeros(0, int)
            cells = np.where(codes >= 0, rank[np.maximum(codes, 0)], np.nan)[order] if labels else np.full(len(place.codes), np.nan)
            categories[name] = tuple(sorted(labels))
        first = np.zeros(n)
        first[present] = cells[starts]
        values[present, k] = cells[starts]
        expected = first[place.codes]
        changed = (cells != expected) & ~(np.isnan(cells) & np.isnan(expected))
        problems += located(
            "static", changed, place, "row differs from the first of its series|rows differ from the first of their series",
            "A static column has one value per series; name it past=[...] or future=[...] if it changes.", column=name,
        )
        if missing == "error":
            problems += located(
                "missing", starts[np.isnan(cells[starts])], place, "missing static value|missing static values",
                'Fill it in, or keep it marked: missing="mask".', column=name,
            )
    return Static(names, values, categories), problems


def check_values(found: Survey) -> list[Problem]:
    """Apply the policy for missing values (in place) and return what is wrong with the values."""
    return []

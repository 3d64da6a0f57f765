"""Another known future: what a person asks for, checked, and a panel in which it stands beside the one of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from foretide.data.windows import Windows, first_rows
from foretide.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.fitted import Fitted
    from foretide.typing import Array, Floats

Changes: TypeAlias = Mapping[str, object]
"""Column -> what it is to hold over the horizon: one value, one for each step, one for each forecast and step, or a
function of what it holds."""
TYPED = 'model.compare(panel, {"promo": 0})'


def scenarios_of(changes: object, panel: Panel) -> dict[str, Changes]:
    """Return name -> changes, from one scenario or several with their names.

    Parameters
    ----------
    changes : mapping
        Columns and what they are to hold, or names of scenarios and such mappings.
    panel : Panel

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        For something else, nothing, and columns that are not known ahead.
    """
    if not isinstance(changes, Mapping) or not changes:
        raise ConfigError(f"compare needs columns and what they are to hold, got {changes!r}. Type: {TYPED}")
    nested = [name for name, value in changes.items() if isinstance(value, Mapping)]
    if nested and len(nested) < len(changes):
        other = next(name for name in changes if name not in nested)
        raise ConfigError(
            f"{nested[0]!r} names a scenario and {other!r} a column. Give scenarios a name each: "
            f"{{{nested[0]!r}: {{...}}, 'another': {{{other!r}: ...}}}}"
        )
    found: dict[str, Changes]
    found = {str(name): dict(own) for name, own in changes.items()} if nested else {_named(changes): dict(changes)}
    for name, own in found.items():
        if not own:
            raise ConfigError(f"The scenario {name!r} changes nothing. Name a column: {{{name!r}: {{'promo': 0}}}}")
        for column in own:
            _check_column(column, panel)
    return found


def _named(changes: Mapping[str, object]) -> str:
    """Return what a scenario without a name is called: what it changes."""
    return ", ".join(f"{column}={_shown(value)}" for column, value in changes.items())


def _shown(value: object) -> str:
    if callable(value):
        return "changed"
    if isinstance(value, (str, bool, int, float, np.generic)):
        return str(value) if isinstance(value, (str, bool, np.bool_)) else f"{float(value):g}"
    return "given"


def _check_column(column: object, panel: Panel) -> None:
    """Refuse a column that is not known ahead, and say what it is."""
    if column in panel.future:
        return
    if not panel.future:
        raise ConfigError(
            f"{column!r} cannot be changed: the table has no known-future columns. Name them when it is read: "
            f"Panel.from_frame(..., future=[{column!r}])"
        )
    what = {
        "is what is forecast": panel.targets,
        "is known up to the cutoff only, so its future is not read": panel.past,
        "is one value of a series, the same in its past": panel.static.names,
    }
    for reason, names in what.items():
        if column in names:
            raise ConfigError(f"{column!r} {reason}. What can be changed is known ahead: {', '.join(panel.future)}.")
    raise ConfigError(f"There is no known-future column {column!r}. {nearest(column, panel.future)}")


def side_by_side(
    panel: Panel, windows: Windows, h: int, scenarios: Mapping[str, Changes], fitted: Fitted
) -> tuple[Panel, Windows]:
    """Return a panel that holds each window's series as it is and under every scenario, and the windows in it.

    The windows of a scenario follow those of the one before; first come those of the table as it is. A series appears
    once for each, under its own name: rows up to the cutoff are the same in all of them.

    Parameters
    ----------
    panel : Panel
        Its text columns as labels, see :meth:`foretide.data.indicators.Indicators.labelled`.
    windows : Windows
    h : int
    scenarios : mapping
        From :func:`scenarios_of`.
    fitted : Fitted
        Knows the categories of text columns.

    Returns
    -------
    Panel, Windows

    Raises
    ------
    ConfigError
        For values that do not fit, with what was expected.
    DataError
        Where the table has no rows ahead of a cutoff.
    """
    w = len(windows)
    ahead = windows.cutoff[:, None] + np.arange(1, h + 1)
    lacking = np.flatnonzero(ahead[:, -1] >= panel.length[windows.entity]) if w else np.zeros(0, dtype=np.int64)
    if len(lacking):
        i = int(windows.entity[lacking[0]])
        rows = int(panel.length[i] - windows.cutoff[lacking[0]] - 1)
        raise DataError(
            f"The table has {max(rows, 0)} rows after the cutoff of {panel.ids[i]!r}, and what is to change lies in "
            f"{h}. Give rows with the known-future columns over the whole horizon, their targets empty."
        )
    length = panel.length[windows.entity]
    pieces = [panel.rows(int(i)) for i in windows.entity]
    once = np.concatenate(pieces) if pieces else panel.values[:0]
    at = first_rows(length)[:, None] + ahead if w else ahead
    tables = [once]
    for name, changes in scenarios.items():
        table = once.copy()
        for column, change in changes.items():
            k = panel.index(column)
            table[at, k] = _values(name, column, change, table[at, k], panel, fitted)
        tables.append(table)
    copies = len(tables)
    entity = np.tile(windows.entity, copies)
    everywhere = np.tile(length, copies)
    made = replace(
        panel.take(entity), values=np.concatenate(tables), length=everywhere, row0=first_rows(everywhere)
    )  # fmt: skip
    return made, Windows(np.arange(len(entity)), np.tile(windows.cutoff, copies))


def _values(scenario: str, column: str, change: Any, held: Floats, panel: Panel, fitted: Fitted) -> Floats:
    """Return what a column is to hold, ``[W, h]``, as the panel holds it: categories as codes."""
    labels = panel.categories.get(column)
    where = f"{column!r} of the scenario {scenario!r}"
    if callable(change):
        change = change(held.copy() if labels is None else _texts(held, labels))
    given = np.asarray(change, dtype=object)
    try:
        given = np.broadcast_to(given, held.shape)
    except ValueError:
        w, h = held.shape
        raise ConfigError(
            f"{where} has the shape {given.shape}. Give one value, {h} values (one for each step), or an array of "
            f"{w} forecasts x {h} steps."
        ) from None
    if labels is not None:
        return _codes(where, given, labels, fitted.indicators.columns.get(column, labels))
    try:
        numbers = given.astype(np.float64)
    except (TypeError, ValueError):
        wrong = next(value for value in given.ravel() if not _is_number(value))
        raise ConfigError(f"{where} is a number, got {wrong!r}.") from None
    if not np.isfinite(numbers).all():
        raise ConfigError(f"{where} is a finite number in every step, got {numbers[~np.isfinite(numbers)][0]}.")
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _texts(codes: Floats, labels: Sequence[str]) -> Array:
    """Return the labels that codes stand for; None where there is none."""
    table = np.array([*labels, None], dtype=object)
    return np.asarray(table[np.where(np.isnan(codes), len(labels), codes).astype(np.int64)])


def _codes(where: str, given: Array, labels: tuple[str, ...], known: Sequence[str]) -> Floats:
    """Return the codes of labels; those that the model was not fitted with are refused."""
    strange = next((value for value in given.ravel() if value not in labels or value not in known), None)
    if strange is not None:
        names = [label for label in labels if label in known]
        raise ConfigError(f"{where} is one of its categories at fit, got {strange!r}. {nearest(strange, names)}")
    code = {label: float(k) for k, label in enumerate(labels)}
    return np.array([code[str(value)] for value in given.ravel()]).reshape(given.shape)

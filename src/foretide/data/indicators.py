"""Categories as numbers: what a text column becomes for a model, learned once at fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from foretide.data import scratch
from foretide.data.pieces import PIECE_ROWS
from foretide.data.record import Record
from foretide.data.static import Static
from foretide.typing import Floats, Reals

if TYPE_CHECKING:
    from foretide.data.panel import Panel

MOST = 64
"""So many categories of a column become indicators, the most frequent ones; the others are none of them."""


@dataclass(frozen=True)
class Indicators(Record):
    """Categories of text columns, and the 0/1 columns that stand for them.

    Attributes
    ----------
    columns : dict
        Past or known-future column -> its categories, in the order of their indicators.
    static : dict
        Static column -> its categories.
    """

    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    static: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def learn(cls, panel: Panel) -> Indicators:
        """Take over the categories that a panel has values of.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        Indicators
        """
        columns = {}
        for name, labels in panel.categories.items():
            at = panel.index(name)
            cells = np.concatenate([panel.rows(i)[:, at] for i in range(panel.n_entities)])
            columns[name] = _frequent(cells, labels)
        static = {
            name: _frequent(panel.static.values[:, panel.static.names.index(name)], labels)
            for name, labels in panel.static.categories.items()
        }
        return cls(columns, static)

    def apply(self, panel: Panel) -> tuple[Panel, dict[str, list[str]]]:
        """Return the panel with 0/1 columns ``column=category`` in the place of text columns.

        A missing cell, and a category that is not known, is none of the categories.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        panel : Panel
        strange : dict
            Column -> categories that were not there at fit.
        """
        strange: dict[str, list[str]] = {}
        static = self._static(panel, strange)
        if not self.columns:
            return (panel if static is panel.static else replace(panel, static=static)), strange
        names = {name: _names(name, self.columns[name]) if name in self.columns else (name,) for name in panel.columns}
        past, future = (tuple(n for name in own for n in names[name]) for own in (panel.past, panel.future))
        width = sum(map(len, names.values()))
        values = scratch.empty((len(panel.values), width), panel.values.dtype, like=panel.values)
        for low in range(0, len(values), PIECE_ROWS):
            rows, at = panel.values[low : low + PIECE_ROWS], 0
            for k, name in enumerate(panel.columns):
                known = panel.categories.get(name, ()), self.columns.get(name)
                table, own = _spread(name, rows[:, k], *known, strange)
                values[low : low + PIECE_ROWS, at : at + len(own)] = table
                at += len(own)
        made = replace(
            panel, values=values, past=past, future=future,
            categories={}, static=static, indicators={k: _names(k, own) for k, own in self.columns.items()},
        )  # fmt: skip
        return made, strange

    def labelled(self, panel: Panel) -> Panel:
        """Return the panel with labels in the place of the numbers they were read as.

        A part of a table may hold none of a column's labels, or only those that look like numbers, such as 0 for none
        beside words. Columns with a number that is no label stay as they are.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        Panel
        """
        values, categories = panel.values, dict(panel.categories)
        for name, labels in self.columns.items():
            if name not in categories:
                at = panel.index(name)
                cells = np.concatenate([panel.rows(i)[:, at] for i in range(panel.n_entities)])
                if _are_labels(cells, labels):
                    values = scratch.copied(values) if values is panel.values else values
                    values[:, at] = _codes(values[:, at], labels)
                    categories[name] = labels
        static, held = panel.static, dict(panel.static.categories)
        table = static.values
        for name, labels in self.static.items():
            if name not in held and _are_labels(table[:, static.names.index(name)], labels):
                table, at = table.copy(), static.names.index(name)
                table[:, at] = _codes(table[:, at], labels)
                held[name] = labels
        if values is not panel.values:
            panel = replace(panel, values=values, categories=categories)
        return panel if table is static.values else replace(panel, static=Static(static.names, table, held))

    def _static(self, panel: Panel, strange: dict[str, list[str]]) -> Static:
        if not self.static:
            return panel.static
        own = panel.static
        spread = [
            _spread(name, own.values[:, k], own.categories.get(name, ()), self.static.get(name), strange)
            for k, name in enumerate(own.names)
        ]
        return Static(tuple(n for _, names in spread for n in names), np.concatenate([table for table, _ in spread], 1))


def _names(column: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{column}={label}" for label in labels)


def _numbers(labels: tuple[str, ...]) -> Floats:
    """The number that each label is read as, NaN for words."""
    words = {"true": 1.0, "false": 0.0}

    def number(label: str) -> float:
        try:
            return words.get(label.strip().lower(), float("nan")) if label.strip().isalpha() else float(label)
        except ValueError:
            return float("nan")

    return np.array([number(label) for label in labels], dtype=np.float64)


def _are_labels(cells: Reals, labels: tuple[str, ...]) -> bool:
    return bool((np.isnan(cells) | np.isin(cells, _numbers(labels))).all())


def _codes(cells: Reals, labels: tuple[str, ...]) -> Floats:
    """The position of the label that each cell was read from; NaN for empty cells."""
    codes = np.full(cells.shape, np.nan)
    for code, number in enumerate(_numbers(labels)):
        codes[cells == number] = code
    return codes


def _frequent(cells: Reals, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Categories that have values, at most :data:`MOST`, in the order of the codes."""
    counts = np.bincount(cells[~np.isnan(cells)].astype(np.int64), minlength=len(labels))
    chosen = np.sort(np.argsort(-counts, kind="stable")[:MOST])
    return tuple(labels[k] for k in chosen if counts[k])


def _flags(cells: Reals, present: tuple[str, ...], labels: tuple[str, ...]) -> Floats:
    """``[R]`` codes of the categories ``present`` -> ``[R, len(labels)]``."""
    table = np.array([[float(label == own) for label in labels] for own in (*present, None)]).reshape(-1, len(labels))
    codes = np.where(np.isnan(cells), len(present), cells).astype(np.int64)
    return np.asarray(table[codes])


def _spread(
    name: str, cells: Reals, present: tuple[str, ...], labels: tuple[str, ...] | None, strange: dict[str, list[str]]
) -> tuple[Reals, tuple[str, ...]]:
    """Return the columns that a column becomes, and their names; categories that are unknown are added to strange."""
    if labels is None:
        return cells[:, None], (name,)
    used = np.unique(cells[~np.isnan(cells)]).astype(np.int64)
    unknown = [present[k] for k in used if present[k] not in labels]
    if unknown:
        strange[name] = [label for label in present if label in unknown or label in strange.get(name, ())]
    return _flags(cells, present, labels), _names(name, labels)

"""Known-future columns as regressors of one series: which can be told apart, on what scale, and notes on the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.forecasters.answer import Note
from foretide.text import first_few
from foretide.training.prepare import moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.panel import Panel
    from foretide.typing import Floats, Ints, Json


ROWS_PER_COLUMN = 8
"""A series needs so many observed rows for each column that is used; the columns that follow it most closely stay."""
COLLINEAR = 1e-6
"""A column is left out where the others explain all but this share of its variance."""
SHOWN = 5

CONSTANT = "no change of it is in the training part"
COMBINED = "nothing is lost, the other columns together say the same"
MANY = f"the training part has fewer than {ROWS_PER_COLUMN} rows for each column"


@dataclass(frozen=True, eq=False)
class Regressors:
    """The columns that a series' model uses.

    Attributes
    ----------
    columns : int array ``[k]``
        Positions among the known-future columns.
    location, scale : ``[k]``
        Of the training part.
    left_out : dict
        Reason -> positions of the columns that are not used for it.
    """

    columns: Ints
    location: Floats
    scale: Floats
    left_out: dict[str, list[int]]

    @classmethod
    def choose(cls, table: Floats, y: Floats, differences: int = 1) -> Regressors:
        """Choose among columns ``[T, F]`` those that a regression of ``y`` ``[T]`` on them can tell apart.

        Parameters
        ----------
        table : float array
            Gaps carried forward; NaN before a column's first value.
        y : float array
            NaN where not observed.
        differences : int
            Differences that the model takes of both: a column that they make constant says nothing.
        """
        location, scale = moments(table)
        scaled = np.nan_to_num((table - location) / scale)
        left_out: dict[str, list[int]] = {}
        seen = ~np.isnan(np.diff(y, differences))
        moves = np.diff(scaled, differences, axis=0)[seen]
        moves = moves - moves.mean(axis=0) if len(moves) else moves
        size = np.sqrt(np.square(moves).sum(axis=0))
        varying = np.flatnonzero(size > 1e-9 * max(1.0, float(np.sqrt(len(moves)))))
        _note(left_out, CONSTANT, np.setdiff1d(np.arange(table.shape[1]), varying))
        most = int(seen.sum()) // ROWS_PER_COLUMN
        if len(varying) > most:
            answer = np.diff(y, differences)[seen]
            likeness = np.abs(moves[:, varying].T @ (answer - answer.mean())) / size[varying] if most else size[varying]
            kept = np.sort(varying[np.argsort(-likeness, kind="stable")[:most]])
            _note(left_out, MANY, np.setdiff1d(varying, kept))
            varying = kept
        chosen = _independent(moves / np.where(size > 0, size, 1.0), varying)
        _note(left_out, COMBINED, np.setdiff1d(varying, chosen))
        return cls(chosen, location[chosen], scale[chosen], left_out)

    @classmethod
    def none(cls, reason: str, columns: Sequence[int]) -> Regressors:
        """No column is used, for one reason."""
        empty = np.zeros(0)
        return cls(empty.astype(np.int64), empty, empty, {reason: list(columns)})

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-able facts."""
        arrays = {name: getattr(self, name).tolist() for name in ("columns", "location", "scale")}
        return {**arrays, "left_out": self.left_out}

    @classmethod
    def from_dict(cls, facts: Json) -> Regressors:
        """Rebuild from :meth:`to_dict`."""
        columns = np.array(facts["columns"], dtype=np.int64)
        return cls(columns, np.array(facts["location"]), np.array(facts["scale"]), dict(facts["left_out"]))

    def of(self, table: Floats) -> Floats:
        """Return the used columns of a table ``[n, F]``, scaled; the training mean before a column's first value."""
        return np.asarray(np.nan_to_num((table[..., self.columns] - self.location) / self.scale))


def left_out_notes(name: str, panel: Panel, found: Sequence[tuple[Regressors, Ints, int]]) -> list[Note]:
    """Return notes on the columns that models left out: each model's regressors, the windows it answers, its target."""
    places: dict[tuple[str, tuple[str, ...]], dict[int, list[Ints]]] = {}
    for regressors, windows, target in found:
        for reason, left in regressors.left_out.items():
            own = places.setdefault((reason, tuple(panel.future[k] for k in left)), {})
            own.setdefault(target, []).append(windows)
    notes = []
    for (reason, names), by_target in places.items():
        alike: dict[bytes, tuple[Ints, list[str]]] = {}
        for target, at in by_target.items():
            windows = np.unique(np.concatenate(at))
            alike.setdefault(windows.tobytes(), (windows, []))[1].append(panel.targets[target])
        for windows, targets in alike.values():
            some = () if len(targets) == panel.n_targets else tuple(targets)
            about = f" for {first_few(some, SHOWN)}" if some else ""
            text = f"{name} leaves out {first_few(names, SHOWN)}{about}: {reason}"
            notes.append(Note("left-out", text, windows, names, some))
    return notes


def _note(left_out: dict[str, list[int]], reason: str, columns: Ints) -> None:
    if len(columns):
        left_out[reason] = [int(k) for k in columns]


def _independent(moves: Floats, candidates: Ints) -> Ints:
    """Return the candidates that are no combination of earlier ones; columns have length 1."""
    basis: list[Floats] = []
    chosen = []
    for k in candidates:
        rest = moves[:, k].copy()
        for _ in range(2 if basis else 0):
            table = np.stack(basis, axis=1)
            rest -= table @ (table.T @ rest)
        length = float(np.sqrt(rest @ rest))
        if length**2 > COLLINEAR:
            basis.append(rest / length)
            chosen.append(int(k))
    return np.array(chosen, dtype=np.int64)

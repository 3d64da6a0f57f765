"""What a fitted forecaster knows of its panel, and how any other table is seen the same way."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data import scratch
from foretide.data.indicators import Indicators
from foretide.data.panel import Names, Panel, Static
from foretide.data.pieces import pieces, rows_of
from foretide.data.reading.problems import DataWarning
from foretide.data.time.closures import Closures
from foretide.data.time.grid import Grid
from foretide.data.time.wallclock import ahead_index, extended, on_wall_clock, wall_grid
from foretide.data.windows import Windows
from foretide.errors import DataError
from foretide.forecasters.gaussian import LARGEST
from foretide.forecasters.intervals.learned import UNSAVED, Intervals
from foretide.forecasters.paths.dependence import Dependence
from foretide.forecasters.paths.late import LateDependence
from foretide.forecasters.remembered import check_rows, completed
from foretide.forecasters.stand_in import StandIn
from foretide.training.saved import arrays_of, facts_of, prefixed, restored, under

if TYPE_CHECKING:
    from foretide.typing import Array, Bools, Ints, Json

HISTORY = ("values", "row0", "length", "first")
PAST = "intervals/"
"""Before the names of the arrays of past errors."""
PATHS = "dependence/"
"""Before the names of the arrays of how they hang together."""


@dataclass(frozen=True, eq=False)
class View:
    """A table as a fitted forecaster sees it: its columns, its categories, its grid, its wall clock.

    Attributes
    ----------
    panel : Panel
    windows : Windows
        The origins asked for, in the same order.
    ahead : int array ``[W, h]`` or None
        Step of the view's forecast that each step asked for is; None: its own.
    strange : dict
        Text column -> categories that were not there at fit.
    large : bool array ``[W]`` or None
        Origins of series with a value up to them that :func:`within_reach` took as missing; None: no such value.
    """

    panel: Panel
    windows: Windows
    ahead: Ints | None = None
    strange: dict[str, list[str]] = field(default_factory=dict)
    large: Bools | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the panel looked like at fit time.

    Attributes
    ----------
    targets, past, future, static : tuples of str
        Columns by role, as the user named them.
    freq : str or int
    start : str or int
        Time of the grid's step 0, in UTC where there is a zone: phases are counted from it, in any table.
    tz : str or None
        Zone whose wall clock seasons follow.
    wall : bool
        Whether steps are regular on that clock, as days are, rather than in UTC.
    ids : tuple of str
        Entities that were learned from.
    until : str
        Time of the last step that was seen.
    indicators : Indicators
    names : Names
        How the frame of the panel was read, and the next one is.
    history : Panel or None
        The rows that were seen, as the model saw them: what a later table lacks before its first row is taken from
        here.
    stand_in : StandIn or None
        Answers where the model cannot.
    intervals : Intervals or None
        What past errors say; None for a model with a distribution of its own, and where they were not wanted.
    closures : Closures
        Where nothing ever happened: every forecast is zero there.
    dependence : Dependence, LateDependence or None
        How its errors hang together over steps and series, or what says so; None where intervals were not wanted.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...]
    future: tuple[str, ...]
    static: tuple[str, ...]
    freq: str | int
    start: str | int
    tz: str | None
    wall: bool
    ids: tuple[str, ...]
    until: str
    indicators: Indicators
    names: Names = field(default_factory=Names)
    history: Panel | None = None
    stand_in: StandIn | None = None
    intervals: Intervals | None = None
    closures: Closures = field(default_factory=Closures)
    dependence: Dependence | LateDependence | None = None

    @classmethod
    def begin(cls, panel: Panel, part: Panel) -> Fitted:
        """Describe a panel whose ``part`` is to be learned from."""
        grid = panel.grid
        last = grid.times([int((part.first + part.observed - 1).max())])[0]
        return cls(
            panel.targets, panel.past, panel.future, panel.static.names, grid.freq,
            int(grid.start) if grid.is_integer else str(grid.start), grid.tz, bool(getattr(grid, "wall", False)),
            panel.ids, str(last), Indicators.learn(part), panel.names,
        )  # fmt: skip

    @property
    def joint(self) -> Dependence | None:
        """How its errors hang together, learned now where that was put off; None where intervals were not wanted."""
        return self.dependence.learned if isinstance(self.dependence, LateDependence) else self.dependence

    @property
    def grid(self) -> Grid:
        """The grid that was fitted on."""
        start = int(self.start) if isinstance(self.freq, int) else pd.Timestamp(self.start)
        more = {"wall": True} if self.wall else {}
        return Grid(start, self.freq, self.tz, **more)

    @property
    def layout(self) -> Panel:
        """A panel without rows of the columns, grid and names that were fitted on."""
        columns, none = len(self.targets + self.past + self.future), np.zeros(len(self.ids), dtype=np.int64)
        static = Static(self.static, np.zeros((len(self.ids), len(self.static))))
        return Panel(
            self.grid, self.ids, np.zeros((0, columns)), none, none, none, self.targets, self.past, self.future, static,
            self.names,
        )  # fmt: skip

    @property
    def seen_layout(self) -> Panel:
        """The same with the columns that the model sees: indicators in the place of text."""
        layout = self.layout
        static = Static(self.static, layout.static.values, self.indicators.static)
        return self.indicators.apply(replace(layout, categories=self.indicators.columns, static=static))[0]

    # ---------------------------------------------------------------- columns and time
    def check(self, panel: Panel, name: str) -> None:
        """Raise a :class:`DataError` where a table has other columns, other steps or another kind of time."""
        for role in ("targets", "past", "future", "static"):
            expected: tuple[str, ...] = getattr(self, role)
            got = panel.static.names if role == "static" else getattr(panel, role)
            if set(expected) != set(got):
                raise DataError(
                    f"{name} was fitted with {role} columns {list(expected)}, this panel has {list(got)}. "
                    "Give the same columns in the same roles."
                )
        self._check_texts(panel, name)
        if panel.grid.freq != self.freq:
            raise DataError(
                f"{name} was fitted on steps of {self.freq!r}, this panel has {panel.grid.freq!r}. "
                f"Type: freq={self.freq!r} when reading the table, or fit again."
            )
        if panel.grid.is_integer:
            return
        if (panel.grid.tz is None) != (self.tz is None):
            zone = f"times in the zone {self.tz}" if self.tz else "times without a zone"
            other = f"times in the zone {panel.grid.tz}" if panel.grid.tz else "times without a zone"
            how = f"tz={self.tz!r} when reading the table" if self.tz else "the times without their zone"
            raise DataError(f"{name} was fitted on {zone}, this panel has {other}. Give {how}.")
        if self.wall and panel.grid.tz != self.tz:
            raise DataError(
                f"{name} was fitted on steps of {self.freq!r} in {self.tz}, this panel's lie in {panel.grid.tz}. "
                f"Type: tz={self.tz!r} when reading the table."
            )

    def _check_texts(self, panel: Panel, name: str) -> None:
        """A column that held text at fit holds text, and one of numbers holds numbers."""
        panel = self.indicators.labelled(panel)
        for kind, known, here in (
            ("column", self.indicators.columns, panel.categories),
            ("static column", self.indicators.static, panel.static.categories),
        ):
            for column in dict.fromkeys((*known, *here)):
                if (column in known) != (column in here):
                    was, now = ("text", "numbers") if column in known else ("numbers", "text")
                    how = "'category'" if column in known else "float"
                    raise DataError(
                        f"{name} was fitted with {was} in the {kind} {column!r}, this panel has {now}. "
                        f"Give it as {was}: frame[{column!r}].astype({how})."
                    )

    def columns(self, panel: Panel) -> Panel:
        """Return the panel with its columns in the order of the fit."""
        static = panel.static
        if static.names != self.static:
            order = [static.names.index(n) for n in self.static]
            static = Static(self.static, static.values[:, order], static.categories)
        same = (panel.targets, panel.past, panel.future) == (self.targets, self.past, self.future)
        if same:
            return panel if static is panel.static else replace(panel, static=static)
        wanted = (*self.targets, *self.past, *self.future)
        values = scratch.copied(panel.values, [panel.index(n) for n in wanted])
        return replace(panel, values=values, targets=self.targets, past=self.past, future=self.future, static=static)

    def view(self, panel: Panel, windows: Windows, h: int, *, memory: int | None = None) -> View:
        """Return a table as the model sees it.

        Parameters
        ----------
        panel : Panel
            One that :meth:`check` passed.
        windows : Windows
        h : int
            Steps ahead.
        memory : int, optional
            Rows before a cutoff that a forecast depends on; None: all there are.
        """
        panel, first_large = within_reach(self.indicators.labelled(panel))
        large = None if first_large is None else windows.cutoff >= first_large[windows.entity]
        panel, strange = self.indicators.apply(self.columns(panel))
        fitted, cutoffs = self.grid, windows.steps(panel)
        moved = self._rebased(panel, fitted)
        ahead = None
        if moved.grid.tz is not None:
            wall = wall_grid(fitted)
            ahead = ahead_index(moved.grid, wall, cutoffs + moved.first[:1] - panel.first[:1], h)
            moved, rows = on_wall_clock(moved, wall)
            if ahead is not None:
                moved = extended(moved, h - 1 - int(ahead.max(axis=1).min()))
            each = zip(windows.entity, windows.cutoff, strict=True)
            cutoff = np.array([rows[i][c] if c >= 0 else -1 for i, c in each], dtype=np.int64)
            windows = Windows(windows.entity, cutoff)
        if self.history is not None:
            moved, windows = completed(moved, windows, self.history, memory)
        return View(moved, windows, ahead, strange, large)

    def apart(self, view: View, memory: int | None) -> Bools:
        """Say of each window whether rows that its forecast depends on are missing between the fit and the table."""
        if self.history is None:
            return np.zeros(len(view.windows), dtype=bool)
        ends = dict(zip(self.history.ids, self.history.last.tolist(), strict=True))
        entity, cutoff = view.windows.entity, view.windows.cutoff
        begins = np.array([ends.get(name, np.iinfo(np.int64).max - 1) for name in view.panel.ids], dtype=np.int64)
        late = view.panel.first > begins + 1
        return np.asarray(late[entity] & ((memory is None) | (cutoff + 1 < (memory or 0))))

    def follows(self, panel: Panel) -> Bools:
        """Say of each entity whether its rows begin right after the last one that was seen at fit, ``[N]``."""
        if self.history is None:
            return np.zeros(panel.n_entities, dtype=bool)
        ends = Windows(np.arange(panel.n_entities), np.full(panel.n_entities, -1))
        moved = self._rebased(panel, self.grid)
        if moved.grid.tz is not None:
            moved, _ = on_wall_clock(moved, wall_grid(self.grid))
        # Rows alone count: text columns of the table are no indicators yet, as those of the history are.
        bare, history = (replace(p, values=p.values[:, : len(self.targets)]) for p in (moved, self.history))
        moved, ends = completed(bare, ends, history, None)
        return np.asarray(ends.cutoff >= 0)

    def say_without(self, panel: Panel, chosen: Bools, name: str) -> None:
        """Warn of the entities that are not ``chosen`` ``[N]``: nothing is known of them. An error where none is."""
        first = int(np.argmin(chosen))
        begin = panel.grid.output_times([int(panel.first[first])])[0]
        text = (
            f"{panel.ids[first]!r} has no forecast: no target is observed in this table, and its rows from {begin} on "
            f"do not begin right after rows that {name} knows. Give its latest rows with their targets too."
        )
        if not chosen.any():
            raise DataError(f"No series has an observed target. {text}")
        more = int((~chosen).sum()) - 1
        warnings.warn(text + (f" The same holds for {more} more." if more else ""), DataWarning, stacklevel=5)

    def _rebased(self, panel: Panel, grid: Grid) -> Panel:
        """Count the panel's steps from the fitted start."""
        if panel.grid == grid:
            return panel
        low, high = int(panel.first.min()), int(panel.last.max())
        times = panel.grid.output_times([low, high])
        try:
            begin, end = (int(step) for step in grid.steps_of(list(times)))
        except DataError:
            begin, end = 0, -1
        if end - begin != high - low:
            raise DataError(
                f"The model was fitted on steps of {grid.freq!r} from {grid.start} on, and this panel's times, from "
                f"{times[0]} to {times[1]}, do not all lie on them. Move them onto the same steps, or fit again."
            )
        ahead = begin - low
        return replace(panel, grid=grid, first=panel.first + ahead)

    # ---------------------------------------------------------------- saving
    def facts(self) -> dict[str, object]:
        """Everything but the history, as JSON."""
        kept = None
        if self.history is not None:
            kept = {"ids": self.history.ids, "static": len(self.history.static.names)}
        stand_in = None if self.stand_in is None else facts_of(self.stand_in)
        joint = self.joint
        return {
            **facts_of(self), "indicators": self.indicators.to_dict(), "names": asdict(self.names), "history": kept,
            "stand_in": stand_in, "intervals": None if self.intervals is None else self.intervals.facts(),
            "closures": self.closures.to_dict(),
            "dependence": None if joint is None else facts_of(joint),
        }  # fmt: skip

    def without_history(self) -> Fitted:
        """Return the same without the rows that were seen; enough for a model inside another."""
        return replace(self, history=None)

    def arrays(self) -> dict[str, Array]:
        """The history and the past errors."""
        kept = {} if self.history is None else {name: arrays_of(self.history)[name] for name in HISTORY}
        past = {} if self.intervals is None else prefixed(PAST, self.intervals.arrays())
        return kept | past | ({} if self.joint is None else prefixed(PATHS, arrays_of(self.joint)))

    @classmethod
    def restore(cls, facts: Json, arrays: Mapping[str, Array]) -> Fitted:
        """Rebuild from :meth:`facts` and :meth:`arrays`."""
        stand_in = None if facts["stand_in"] is None else restored(StandIn, facts["stand_in"])
        indicators = Indicators.from_dict(facts["indicators"])
        names = Names(**facts.get("names", {}))
        past = facts.get("intervals", {"errors": None, "note": UNSAVED})
        intervals = None if past is None else Intervals.restore(past, under(PAST, arrays))
        closures = Closures.from_dict(facts.get("closures", {}))
        kept = facts.get("dependence")
        dependence = None if kept is None else restored(Dependence, under(PATHS, arrays), kept)
        made = {
            "indicators": indicators, "names": names, "history": None, "stand_in": stand_in, "intervals": intervals,
            "closures": closures, "dependence": dependence,
        }  # fmt: skip
        found = restored(cls, {**facts, **made})
        if facts["history"] is None:
            return found
        columns = arrays["values"].shape[1] - len(found.targets)
        about = {
            "grid": found.grid if found.tz is None else wall_grid(found.grid), "ids": list(facts["history"]["ids"]),
            "targets": found.targets, "past": [f"c{k}" for k in range(columns)],
        }  # fmt: skip
        static = found.seen_layout.static.names  # their values are those of the table at hand
        without = Static(static, np.zeros((len(facts["history"]["ids"]), len(static))))
        history = restored(Panel, arrays, about, {"static": without})
        check_rows(history)
        return replace(found, history=history)


def within_reach(panel: Panel) -> tuple[Panel, Ints | None]:
    """Take targets whose squares leave what a computer can count as missing.

    Returns
    -------
    Panel
        The same one where there are none.
    int array ``[N]`` or None
        Row of each entity's first such value, beyond its end where it has none; None: nobody has any.
    """
    d = panel.n_targets
    most = min(LARGEST, float(np.finfo(panel.values.dtype).max))
    found, columns = [], []
    for piece in pieces(panel.length, 8 * d):
        targets = rows_of(panel, piece.start, piece.stop, slice(0, d))
        large = (targets > most) | (targets < -most)
        if large.any():
            row, column = np.nonzero(large)
            found.append(piece.start + row)
            columns.append(column)
    if not found:
        return panel, None
    rows, ends = np.concatenate(found), np.cumsum(panel.length)
    entity = np.searchsorted(ends, rows, side="right")
    own = rows - (ends - panel.length)[entity]
    values = scratch.copied(panel.values)
    values[panel.row0[entity] + own, np.concatenate(columns)] = np.nan
    first = panel.length.copy()
    np.minimum.at(first, entity, own)
    return panel.with_values(values), first

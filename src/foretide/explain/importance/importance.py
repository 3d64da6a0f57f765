"""``ft.explain.inputs``: what the error of any forecaster becomes when one of its inputs is replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np

from foretide.data.time.seasons import main_season
from foretide.data.windows import Windows, evenly, truth_of
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.compare.tests import holm
from foretide.explain.chance import mean_test
from foretide.explain.importance.summary import InputImportance, Losses
from foretide.explain.origins import fit_end, panel_for, windows_at
from foretide.explain.window_panels import (
    carried,
    other_windows,
    windows_apart,
    with_moved_columns,
    with_moved_static,
    with_other_lags,
)
from foretide.seeding import numpy_generator
from foretide.typing import Floats, Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Frame, Times

LOSSES = ("mse", "mae")
MOST_CUTOFFS = 200
"""Cutoffs looked at by default, evenly spread."""
BANDS = 4
"""Seasons that lags are told apart by; older ones share a group."""
MOST_CELLS = 20_000_000
"""Values of windows that stand side by side; more are taken one piece after the other."""
SAME = 1e-4
"""Share of the forecasts' size within which a window that stands alone must give the same forecast."""


@dataclass(frozen=True)
class Group:
    """Inputs replaced together: columns by position, or lags of the targets."""

    name: str
    kind: str
    members: tuple[int, ...]


def inputs(
    model: Forecaster,
    panel: Panel | Frame,
    cutoffs: Times | Windows | None = None,
    *,
    groups: Mapping[str, Sequence[str] | Sequence[int]] | None = None,
    n_repeats: int = 10,
    metric: str = "mse",
    block: int | None = None,
    level: float = 95,
    seed: int = 0,
) -> InputImportance:
    """Say how much the error grows when an input no longer belongs to its window (permutation importance).

    Blocks of time of a column trade places within each entity, so that it keeps its course and loses its time: past
    columns up to the last cutoff, known-future ones up to its last step ahead; calendar features stay. Static columns
    are traded between entities. Lags of the targets come from another window of the series. A strong input whose twin
    stays in place looks weak: put both into one group.

    Parameters
    ----------
    model : Forecaster
        Fitted; any kind.
    panel : Panel, pandas or polars data frame
    cutoffs : sequence of times, optional
        Origins; by default up to :data:`MOST_CUTOFFS` of those after what ``fit`` saw, or of all where there are none.
    groups : mapping, optional
        Name -> columns, or lags as whole numbers, 0 the newest observed step. By default every column and, for models
        with a lookback (``input_size``), lags in bands by the season.
    n_repeats : int
        Draws per group, averaged.
    metric : {"mse", "mae"}
        Loss of single points in original units; the mean over all.
    block : int, optional
        Steps of a block; lookback and horizon together by default.
    level : float
        Of the intervals, in percent.
    seed : int

    Returns
    -------
    InputImportance

    Notes
    -----
    Source: Breiman (2001), "Random forests"; Fisher, Rudin & Dominici (2019), "All models are wrong".

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.planted_lags(T=160, lags=(7,), weights=(0.8,), seed=1).panel
    >>> model = ft.Ridge(h=1, input_size=10).fit(panel, until=panel.grid.output_times([120])[0])
    >>> ft.explain.inputs(model, panel, groups={"a week ago": [6], "newest": [0]}).more_than_chance.tolist()
    [True, False]
    """
    panel = panel_for(model, panel)
    _check(n_repeats, metric, block, level)
    # What a prediction leaves on the model (as LAVAR's interventions) stays with the copy.
    replaced = _Replaced.at(copy.copy(model), panel, *_windows(model, panel, cutoffs), block)
    return replaced.importance(_groups(groups, model, panel), n_repeats, metric, level, seed)


def _groups(groups: Mapping[str, Sequence[str] | Sequence[int]] | None, model: Forecaster, panel: Panel) -> list[Group]:
    return _default_groups(model, panel) if groups is None else _named_groups(groups, panel)


@dataclass(frozen=True, eq=False)
class _Replaced:
    """Forecasts with one group of inputs replaced."""

    model: Forecaster
    panel: Panel
    windows: Windows
    in_sample: bool
    block: int
    last: Ints
    """Row of each entity's last cutoff, -1 where it has none, ``[N]``."""

    @classmethod
    def at(cls, model: Forecaster, panel: Panel, windows: Windows, in_sample: bool, block: int | None) -> Self:
        last = np.full(panel.n_entities, -1, dtype=np.int64)
        np.maximum.at(last, windows.entity, windows.cutoff)
        return cls(model, panel, windows, in_sample, block or model.min_history + model.h, last)

    def importance(
        self, groups: Sequence[Group], n_repeats: int, metric: str, level: float, seed: int
    ) -> InputImportance:  # fmt: skip
        """Test each group against no replacement, by cutoff."""
        model, panel, truth = self.model, self.panel, truth_of(self.panel, self.windows, self.model.h)
        if np.isnan(truth).all():
            raise DataError("None of the windows has an observed truth. Give cutoffs at least a step before the end.")
        steps, cutoff = np.unique(self.windows.steps(panel), return_inverse=True)
        points = (_loss(mean, truth, metric) for mean in self.forecasts(groups, n_repeats, seed))
        losses = Losses.of(points, ~np.isnan(truth), cutoff)
        gaps, of_targets, by_repeat = losses.increases(len(groups))
        steps = steps[losses.counted]
        overlap = -(-model.h // int(np.diff(steps).min())) if len(steps) > 1 else 1
        low, high, p = np.array([mean_test(own, overlap, level=level, alternative="greater") for own in gaps]).T
        return InputImportance(
            model.name, metric, tuple(g.name for g in groups), tuple(g.kind for g in groups),
            tuple(self.says(g) for g in groups), float(losses.whole[0]), by_repeat.mean(axis=1), low, high, p,
            holm(p.tolist()), by_repeat, losses.by_cutoff[0], gaps, of_targets, losses.by_target[0], panel.targets,
            panel.grid.output_times(steps), overlap, self.in_sample, level, panel.names.backend,
        )  # fmt: skip

    def forecasts(self, groups: Sequence[Group], n_repeats: int, seed: int) -> Iterator[Floats]:
        """Mean forecasts ``[W, H, D]`` as they are, then ``n_repeats`` for each group."""
        yield _mean(self.model, self.panel, self.windows)
        for g, group in enumerate(groups):
            for r in range(n_repeats):
                yield self.forecast(group, numpy_generator(seed, g, r))

    def forecast(self, group: Group, generator: np.random.Generator) -> Floats:
        """Mean forecast ``[W, H, D]``."""
        if group.kind == "lags":
            return self._other_lags(np.array(group.members, dtype=np.int64), generator)
        if group.kind == "static":
            return _mean(self.model, with_moved_static(self.panel, group.members, generator), self.windows)
        known = self.panel.n_targets + len(self.panel.past)
        ahead = np.where(np.array(group.members) >= known, self.model.h, 0)
        last = np.where(self.last[:, None] < 0, -1, self.last[:, None] + ahead)
        changed = with_moved_columns(self.panel, group.members, last, self.block, generator)
        return _mean(self.model, changed, self.windows)

    def says(self, group: Group) -> tuple[str, ...]:
        """Names of a group's members."""
        if group.kind == "lags":
            return tuple(str(lag) for lag in group.members)
        names = self.panel.static.names if group.kind == "static" else self.panel.columns
        return tuple(names[c] for c in group.members)

    def _other_lags(self, lags: Ints, generator: np.random.Generator) -> Floats:
        donors = other_windows(self.windows, generator)
        panel, size = self._source
        rows = self.windows.cutoff.sum() if size is None else size * len(self.windows)
        pieces = max(1, int(rows * panel.values.shape[1] // MOST_CELLS))
        means = []
        for chosen in np.array_split(np.arange(len(self.windows)), min(pieces, len(self.windows))):
            apart, own = windows_apart(panel, self.windows[chosen], size, self.model.h)
            means.append(_mean(self.model, with_other_lags(apart, own, panel, donors[chosen], lags), own))
        return np.concatenate(means)

    @cached_property
    def _source(self) -> tuple[Panel, int | None]:
        """Panel and rows per window: a lookback where that is all a model reads, else the whole history."""
        size = self.model.memory
        if size is None:
            return self.panel, None
        full = carried(self.panel)
        few = self.windows[evenly(len(self.windows), 32)]
        whole = _mean(self.model, self.panel, few)
        gap = np.abs(_mean(self.model, *windows_apart(full, few, size, self.model.h)) - whole)
        return (full, size) if gap.max() <= SAME * np.abs(whole).max() else (self.panel, None)


# ---------------------------------------------------------------- windows and losses
def _windows(model: Forecaster, panel: Panel, cutoffs: Times | Windows | None) -> tuple[Windows, bool]:
    windows, in_sample = windows_at(panel, cutoffs, rows=model.min_history, h=model.h, end=fit_end(model, panel))
    if cutoffs is None:
        steps = windows.steps(panel)
        every = np.unique(steps)
        windows = windows[np.isin(steps, every[evenly(len(every), MOST_CUTOFFS)])]
    return windows, in_sample


def _mean(model: Forecaster, panel: Panel, windows: Windows) -> Floats:
    return np.asarray(model._seen(panel, windows)[0].mean, dtype=np.float64)


def _loss(mean: Floats, truth: Floats, metric: str) -> Floats:
    return np.asarray((mean - truth) ** 2 if metric == "mse" else np.abs(mean - truth))


# ---------------------------------------------------------------- groups
def _default_groups(model: Forecaster, panel: Panel) -> list[Group]:
    groups = [
        Group(name, "past" if name in panel.past else "future", (panel.index(name),))
        for name in panel.past + panel.future
    ]
    if panel.n_entities > 1:
        groups += [Group(name, "static", (s,)) for s, name in enumerate(panel.static.names)]
    size = model.memory
    if size is not None:
        return groups + lag_bands(int(size), main_season(panel))
    if not groups:
        raise ConfigError(
            f"{model.name} has no lookback and the panel no columns besides the targets, so there is no default group. "
            "Name lags: groups={'last week': range(7)}."
        )
    return groups


def lag_bands(size: int, season: int) -> list[Group]:
    """Newest quarter of a season, rest of it, :data:`BANDS` - 1 seasons before it, and what is older."""
    edges = [0, max(1, season // 4), *(season * k for k in range(1, BANDS + 1)), size]
    if season == 1:
        edges = [0, *(2**k for k in range(12)), size]
    edges = sorted({min(e, size) for e in edges})
    bands = [tuple(range(low, high)) for low, high in pairwise(edges)]
    return [Group(f"lag {b[0]}" if len(b) == 1 else f"lags {b[0]}-{b[-1]}", "lags", b) for b in bands]


def _named_groups(groups: Mapping[str, Sequence[str] | Sequence[int]], panel: Panel) -> list[Group]:
    if not groups:
        raise ConfigError("groups is empty. Name columns or lags, {'last week': range(7)}, or leave it out.")
    return [_named(str(name), [members] if isinstance(members, str) else list(members), panel)
            for name, members in groups.items()]  # fmt: skip


def _named(name: str, members: Sequence[str | int], panel: Panel) -> Group:
    lags = [int(m) for m in members if isinstance(m, (int, np.integer)) and not isinstance(m, bool)]
    columns = [m for m in members if isinstance(m, str)]
    if lags and len(lags) == len(members):
        if min(lags) < 0:
            raise ConfigError(f"Group {name!r} has the lag {min(lags)}. Lags count back from 0, the newest step.")
        return Group(name, "lags", tuple(lags))
    if not columns or len(columns) < len(members):
        raise ConfigError(f"Group {name!r} names columns or lags, at least one, never both; got {members!r}.")
    static, moving = panel.static.names, panel.past + panel.future
    for column in columns:
        if column in panel.targets:
            raise ConfigError(f"Group {name!r} names the target {column!r}. Name lags of the targets: range(0, 7).")
        if column not in (*static, *moving):
            raise ConfigError(
                f"Group {name!r} names {column!r}, which is no column. {nearest(column, (*moving, *static))}"
            )
    if all(c in static for c in columns):
        return Group(name, "static", tuple(static.index(c) for c in columns))
    if any(c in static for c in columns):
        raise ConfigError(f"Group {name!r} holds static columns and others. They move differently: make two groups.")
    kinds = {"past" if c in panel.past else "future" for c in columns}
    return Group(name, "past and future" if len(kinds) > 1 else kinds.pop(), tuple(panel.index(c) for c in columns))


def _check(n_repeats: int, metric: str, block: int | None, level: float) -> None:
    if metric not in LOSSES:
        raise ConfigError(f"metric is 'mse' or 'mae', the loss of single points; got {metric!r}.")
    if n_repeats < 1 or (block is not None and block < 1) or not 0 < level < 100:
        raise ConfigError(
            f"n_repeats and block are at least 1 and level lies in 0 .. 100; got n_repeats={n_repeats!r}, "
            f"block={block!r}, level={level!r}."
        )

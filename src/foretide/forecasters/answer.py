"""An answer for every window: the model where it can, its shared part for new series, a stated stand-in elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from foretide.data.windows import Windows, first_rows
from foretide.forecasters.simple.history import alike, seen_until, targets_until, wakes
from foretide.forecasters.stand_in import NAMES

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.stand_in import StandIn
    from foretide.typing import Bools, Floats, Ints, Reals


Quantiles: TypeAlias = tuple[float, ...]
"""As fractions, ascending."""
Traces: TypeAlias = tuple[str, ...]
"""Names of what else is to be returned."""
REACH = 5.0
"""A forecast so many times the range of its series' history away from that history is noted."""
NARROW = 1e-3
"""An interval narrower than this share of the range of a series that has woken is none."""
ROUNDING = 1e-6
"""So much below zero, in units of a series' largest value, is zero."""


@dataclass(frozen=True, eq=False)
class Note:
    """Something to know of some forecasts.

    Attributes
    ----------
    kind : str
        ``stand-in``: forecast by a simple forecaster, for the series is too short or new. ``failed``: so, too, because
        the model's own forecast was not finite. ``unknown``: none, for nothing was observed. ``range``: far outside the
        history. ``negative``: below zero, where the series never was. ``floor``: put to zero. ``large``: values too
        large to compute with. ``gap``: rows between fit and table are not known. ``category``: one that was not there
        at fit. ``closed``: zero, for nothing ever happened on such steps. ``unused``: columns that the model does not
        use. ``left-out``: that it left out. ``intervals``: why they may be too narrow.
    text : str
    windows : int array
        Positions of the forecasts that it is about.
    columns : tuple of str
        Columns that are not used.
    targets : tuple of str
        Targets whose forecasts it is about; none for all.
    """

    kind: str
    text: str
    windows: Ints
    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def take(self, chosen: Ints, n: int) -> Note:
        """Return the note for some of ``n`` forecasts, by their positions."""
        about = np.zeros(n, dtype=bool)
        about[self.windows] = True
        return replace(self, windows=np.flatnonzero(about[chosen]))


@dataclass(frozen=True)
class Prediction:
    """What a forecaster's own ``_predict`` returns: mean ``[W, H, D]``, quantiles ``[W, H, D, Q]`` or None."""

    mean: Reals
    quantiles: Reals | None = None
    extras: dict[str, Reals] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def answer(
    model: Forecaster,
    stand_in: StandIn,
    ids: frozenset[str],
    panel: Panel,
    windows: Windows,
    quantiles: Quantiles,
    traces: Traces,
    steps: int | None = None,
) -> Prediction:
    """Return a forecast for every window that has an observed value up to its cutoff; NaN for the others.

    Of the horizon only the first ``steps`` are returned, and looked at for notes; all by default.

    ``ids`` are the entities the model knows, where it knows any. What it forecasts by itself follows from its
    ``min_history``, ``memory``, ``knows_ids``, ``accepts_new_ids`` and ``needs_future``.
    """
    past = None if model._fitted is None else model._fitted.intervals

    def predict(part: Panel, own: Windows) -> Prediction:
        got = model._predict(part, own, quantiles if model.has_distribution else (), traces)
        return got if past is None else past.added(got, model, part, own, quantiles)

    rows = windows.cutoff - first_observed(panel)[windows.entity] + 1
    short = rows < model.min_history
    stranger = np.array([model.knows_ids and name not in ids for name in panel.ids], dtype=bool)
    new = (stranger[windows.entity] | model._woken(panel, windows)) & ~short
    unseen = _without_future(panel, windows, model.h) & ~short if model.needs_future else np.zeros_like(short)
    if unseen.sum() == (~short).sum():
        unseen[:] = False  # the table brings no known-future rows at all, and the model says what to add
    alone = new & ~unseen if model.accepts_new_ids else np.zeros_like(new)
    apart = short | unseen | (new & ~alone)
    if not (alone.any() or apart.any() or stranger.any()):
        found = predict(panel, windows)
    else:
        shape = (len(windows), model.h, panel.n_targets)
        own, shared = np.flatnonzero(~apart & ~alone), np.flatnonzero(alone)
        parts = []
        if len(own):
            parts.append((own, predict(*_without(panel, windows[own], stranger))))
        if len(shared):
            parts.append((shared, predict(*separated(panel, windows[shared], model, ids))))
        found = _joined(parts, shape, quantiles)
    found = cut(found, steps, model.step_axis)
    missing = {"short": short, "ahead": unseen, "new": new & ~alone & ~unseen}
    found = _completed(found, model, stand_in, panel, windows, quantiles, missing, rows > 0)
    if past is not None and past.errors is None:
        found = _borrowed(found, model._points(panel.targets), stand_in, panel, windows, quantiles)
    found = _widened(found, model.name, stand_in, panel, windows, quantiles)
    return _in_range(model.name, panel, windows, found, stand_in)


def first_observed(panel: Panel) -> Ints:
    """Return each entity's first row with an observed target, ``[N]``; its length where there is none."""
    d = panel.n_targets
    out = np.zeros(panel.n_entities, dtype=np.int64)
    empty = panel.length == 0
    begins = np.isnan(panel.values[np.where(empty, 0, panel.row0), :d]).all(axis=1) | empty
    for i in np.flatnonzero(begins):
        seen = np.flatnonzero(~np.isnan(panel.rows(int(i))[:, :d]).all(axis=1))
        out[i] = seen[0] if len(seen) else panel.length[i]
    return out


def _without_future(panel: Panel, windows: Windows, h: int) -> Bools:
    """Whether a known-future column has no value in some step ahead of a window, ``[W]``.

    Gaps before a series' last observed target do not count: they are filled.
    """
    if not panel.future:
        return np.zeros(len(windows), dtype=bool)
    ahead = windows.cutoff[:, None] + np.arange(1, h + 1)
    inside = ahead < panel.length[windows.entity][:, None]
    rows = panel.row0[windows.entity][:, None] + np.where(inside, ahead, 0)
    empty = np.isnan(panel.values[rows, panel.n_targets + len(panel.past) :]).any(axis=-1)
    return np.asarray((~inside | (empty & (ahead >= panel.observed[windows.entity][:, None]))).any(axis=1))


def separated(panel: Panel, windows: Windows, model: Forecaster, ids: frozenset[str]) -> tuple[Panel, Windows]:
    """Return each window as an entity of its own, of none of the known names, that ends at its cutoff."""
    h, memory = model.h, model.memory
    low = np.zeros(len(windows), dtype=np.int64) if memory is None else (windows.cutoff - memory + 1).clip(0)
    high = np.minimum(windows.cutoff + 1 + h, panel.length[windows.entity])
    unseen = panel.n_targets + len(panel.past)
    parts = []
    for e, a, b, c in zip(windows.entity, low, high, windows.cutoff, strict=True):
        rows = panel.rows(int(e))[a:b].copy()
        rows[c - a + 1 :, :unseen] = np.nan
        parts.append(rows)
    length = high - low
    names, first = _names(panel, windows, ids if model.knows_ids else frozenset()), panel.first[windows.entity] + low
    made = replace(
        panel.take(windows.entity), ids=names, values=np.concatenate(parts), length=length, first=first,
        row0=first_rows(length),
    )  # fmt: skip
    return made, Windows(np.arange(len(windows)), windows.cutoff - low)


def _without(panel: Panel, windows: Windows, stranger: Bools) -> tuple[Panel, Windows]:
    """Leave out entities that no window belongs to and that the model does not know."""
    if not stranger.any():
        return panel, windows
    place = np.cumsum(~stranger) - 1
    return panel.take(np.flatnonzero(~stranger)), Windows(place[windows.entity], windows.cutoff)


def _names(panel: Panel, windows: Windows, known: frozenset[str]) -> tuple[str, ...]:
    """The entity's own name, with its cutoff where it has several windows or is a known one."""
    counts = np.bincount(windows.entity, minlength=panel.n_entities)
    times = panel.grid.output_times(windows.steps(panel))
    return tuple(
        panel.ids[e] if counts[e] == 1 and panel.ids[e] not in known else f"{panel.ids[e]} up to {t}"
        for e, t in zip(windows.entity, times, strict=True)
    )


def _joined(parts: Sequence[tuple[Ints, Prediction]], shape: tuple[int, int, int], quantiles: Quantiles) -> Prediction:
    mean = np.full(shape, np.nan)
    bounds = None
    if quantiles and (not parts or any(p.quantiles is not None for _, p in parts)):
        bounds = np.full((*shape, len(quantiles)), np.nan)
    extras: dict[str, Reals] = {}
    notes: list[Note] = []
    for where, part in parts:
        mean[where] = part.mean
        if bounds is not None and part.quantiles is not None:
            bounds[where] = part.quantiles
        notes += [replace(note, windows=where[note.windows]) for note in part.notes]
        for name, value in part.extras.items():
            if isinstance(value, np.ndarray) and len(value) == len(where):
                table = extras.setdefault(name, np.full((shape[0], *value.shape[1:]), np.nan, dtype=np.float64))
                table[where] = value
            else:
                extras.setdefault(name, value)
    return Prediction(mean, bounds, extras, tuple(notes))


def _completed(
    found: Prediction,
    model: Forecaster,
    stand_in: StandIn,
    panel: Panel,
    windows: Windows,
    quantiles: Quantiles,
    missing: dict[str, Bools],
    begun: Bools,
) -> Prediction:
    """Let the stand-in answer where there is no finite forecast, and say so."""
    broken = ~np.isfinite(found.mean)
    if not broken.any():
        return found
    silent = np.flatnonzero(~begun)
    if len(silent):
        found = replace(found, notes=(*found.notes, Note("unknown", "nothing was observed up to the cutoff", silent)))
    where = np.flatnonzero(broken.any(axis=(1, 2)) & begun)
    if not len(where):
        return found
    mean, bounds, kind = stand_in.forecast(panel, windows[where], found.mean.shape[1], quantiles)
    whole = np.array(found.mean, dtype=np.float64)
    gone = broken[where]
    whole[where] = np.where(gone, mean, whole[where])
    all_bounds = found.quantiles
    if all_bounds is not None and bounds is not None:
        all_bounds = np.array(all_bounds, dtype=np.float64)
        all_bounds[where] = np.where(gone[..., None], bounds, all_bounds[where])
    reasons = {
        "short": f"fewer than the {model.min_history} rows that {model.name} reads",
        "ahead": f"known-future columns without values over the {model.h} steps ahead, which {model.name} reads",
        "new": f"a series that {model.name}, one model per series, was not fitted on",
        "failed": f"{model.name} gave no finite forecast",
    }
    failed = ~np.logical_or.reduce(list(missing.values()))
    notes = list(found.notes)
    for reason, mask in (*missing.items(), ("failed", failed)):
        for k, name in enumerate(NAMES):
            chosen = where[mask[where] & (kind == k)]
            if len(chosen):
                kind_of = "failed" if reason == "failed" else "stand-in"
                notes.append(Note(kind_of, f"forecast by {name}: {reasons[reason]}", chosen))
    return replace(found, mean=whole, quantiles=all_bounds, notes=tuple(notes))


def _borrowed(
    found: Prediction, points: Bools, stand_in: StandIn, panel: Panel, windows: Windows, quantiles: Quantiles
) -> Prediction:
    """Put the stand-in's spread around the forecasts of targets that have none, ``points`` ``[D]``."""
    shape = (*np.asarray(found.mean).shape, len(quantiles))
    own = np.full(shape, np.nan) if found.quantiles is None else np.asarray(found.quantiles)
    lacking = np.isnan(own) & points[:, None]
    if not quantiles or not lacking.any():
        return found
    mean, bounds, _ = stand_in.forecast(panel, windows, shape[1], quantiles)
    assert bounds is not None
    around = np.asarray(found.mean)[..., None] + bounds - mean[..., None]
    around = np.where(np.array(stand_in.whole)[:, None], np.round(around), around)
    return replace(found, quantiles=np.where(lacking, around, own))


def _widened(
    found: Prediction, name: str, stand_in: StandIn, panel: Panel, windows: Windows, quantiles: Quantiles
) -> Prediction:
    """Give a series that has woken the stand-in's interval where the model's has no width: it learned from silence."""
    if found.quantiles is None or len(quantiles) < 2 or not len(windows):
        return found
    # Bounds of counts that are zero around a small mean are bounds; those that repeat the mean are none.
    mean, size = np.asarray(found.mean)[..., None], np.abs(found.mean).max(axis=1)
    outermost = np.abs(found.quantiles[..., :: len(quantiles) - 1] - mean).max(axis=(1, 3))  # [W, D]
    flat = (outermost <= NARROW * size) & (size > 0)
    if not flat.any():
        return found
    width = np.abs(found.quantiles - mean).max(axis=(1, 3))
    flat &= width <= NARROW * size
    for w in np.flatnonzero(flat.any(axis=1)):
        y = targets_until(panel, int(windows.entity[w]), int(windows.cutoff[w]))
        for d in np.flatnonzero(flat[w]):
            awake = y[wakes(y[:, d]) :, d] if wakes(y[:, d]) else np.zeros(0)
            reach = np.fmax.reduce(awake, initial=-np.inf) - np.fmin.reduce(awake, initial=np.inf)
            flat[w, d] = len(awake) > 1 and width[w, d] <= NARROW * reach
    where = np.flatnonzero(flat.any(axis=1))
    if not len(where):
        return found
    instead, bounds, kind = stand_in.forecast(panel, windows[where], found.mean.shape[1], quantiles)
    assert bounds is not None
    own, around = np.array(found.quantiles, dtype=np.float64), bounds - instead[..., None]
    chosen = flat[where][:, None, :, None] & np.isfinite(around)
    own[where] = np.where(chosen, mean[where] + around, own[where])
    text = f"{name} has learned no spread of the series, its interval is that of "
    notes = [Note("stand-in", text + other, where[kind == k]) for k, other in enumerate(NAMES) if (kind == k).any()]
    return replace(found, quantiles=own, notes=(*found.notes, *notes))


def _in_range(name: str, panel: Panel, windows: Windows, found: Prediction, stand_in: StandIn) -> Prediction:
    """Keep targets that were never below zero from falling there, and note what a series' own history makes absurd.

    Where neither the target at fit nor the series at hand was ever below zero, bounds that are get zero, which takes
    nothing from their coverage. So does the mean of a target that was zero at times, with a note.
    """
    mean = np.asarray(found.mean)
    least, most = mean, mean
    if found.quantiles is not None and found.quantiles.shape[-1]:
        by_level = np.moveaxis(found.quantiles, -1, 0)  # few levels: one pass each is quicker than a short last axis
        least, most = reduce(np.fmin, by_level, least), reduce(np.fmax, by_level, most)
    lowest, least, most = mean.min(axis=1), least.min(axis=1), most.max(axis=1)
    nonnegative, floors = np.array(stand_in.nonnegative), np.array(stand_in.floor)
    low, high = _reached(panel, windows)
    with np.errstate(over="ignore"):
        span = np.where(high > low, high - low, np.abs(high))
        out = (most > high + REACH * span) | (least < low - REACH * span)
    far = (out & (span > 0)).any(axis=1)
    unknown = (least < 0) & (low >= 0) & nonnegative
    under = (lowest < -ROUNDING * np.abs(high)) & (low >= 0)
    raised = (under & floors).any(axis=1)
    bounds_under = (least < -ROUNDING * np.abs(high)) & (low >= 0) & ~nonnegative
    below = ((under & ~floors) | bounds_under).any(axis=1)
    found = _raised(found, unknown, floors)
    texts = {
        "range": (f"{name} goes more than {REACH:g} times the range of the series' history beyond it", far),
        "negative": (f"{name} goes below zero, where the series never was", below),
        "floor": (f"{name} fell below zero and was put to it: the series has zeros and nothing below", raised),
    }
    notes = [Note(kind, text, np.flatnonzero(own)) for kind, (text, own) in texts.items() if own.any()]
    return replace(found, notes=(*found.notes, *notes)) if notes else found


def _reached(panel: Panel, windows: Windows) -> tuple[Floats, Floats]:
    """Least and largest value of each target up to each cutoff, ``[W, D]``; NaN where none was observed."""
    low, high = np.empty((2, len(windows), panel.n_targets))
    for entities, chosen, cutoffs in alike(panel, windows):
        ends, place = np.unique(cutoffs, return_inverse=True)
        y, begins = seen_until(panel, entities, int(ends[-1])), np.append(0, ends[:-1] + 1)
        for extreme, reached in ((np.fmin, low), (np.fmax, high)):
            at = extreme.accumulate(extreme.reduceat(y, begins, axis=0), axis=0)[place]
            reached[chosen] = at.reshape(len(cutoffs), len(entities), -1).swapaxes(0, 1)
    return low, high


def _raised(found: Prediction, unknown: Bools, floors: Bools) -> Prediction:
    """Put to zero what falls below it where ``unknown`` ``[W, D]``: bounds, and the mean of ``floors`` ``[D]``."""
    if not unknown.any():
        return found
    mean, bounds, where = np.asarray(found.mean), found.quantiles, unknown[:, None, :]
    mean = np.where(where & floors & (mean < 0), 0.0, mean)
    if bounds is not None:
        bounds = np.where(where[..., None] & (bounds < 0), 0.0, bounds)
    return replace(found, mean=mean, quantiles=bounds)


def shut(got: Prediction, closed: Bools) -> Prediction:
    """Put the forecast to zero, mean and bounds, on the steps that are ``closed`` ``[W, H]``, and say so."""
    where = np.flatnonzero(closed.any(axis=1))
    if not len(where):
        return got
    shape = closed[..., None]
    mean = np.where(shape & ~np.isnan(got.mean), 0.0, got.mean)
    bounds = got.quantiles
    if bounds is not None:
        bounds = np.where(shape[..., None] & ~np.isnan(bounds), 0.0, bounds)
    note = Note("closed", "zero on steps known to be closed, for nothing ever happened on such", where)
    return replace(got, mean=mean, quantiles=bounds, notes=(*got.notes, note))


def cut(got: Prediction, steps: int | None, axes: Mapping[str, int]) -> Prediction:
    """Return the first ``steps`` of a forecast; ``axes`` names those of the extras that are not the second one."""
    extras = {k: v[(*[slice(None)] * axes.get(k, 1), slice(steps))] for k, v in got.extras.items()}
    quantiles = None if got.quantiles is None else got.quantiles[:, :steps]
    return replace(got, mean=got.mean[:, :steps], quantiles=quantiles, extras=extras)


def reordered(got: Prediction, ahead: Ints) -> Prediction:
    """Take a step of the forecast ``ahead`` ``[W, h]`` for each step of the horizon."""
    each = np.arange(len(ahead))[:, None]
    quantiles = None if got.quantiles is None else got.quantiles[each, ahead]
    return replace(got, mean=got.mean[each, ahead], quantiles=quantiles)


def in_order(
    got: Prediction, fitted: tuple[str, ...], wanted: tuple[str, ...], by_target: tuple[str, ...]
) -> Prediction:
    """Put the targets of a forecast into the order that a table has them in."""
    if fitted == wanted:
        return got
    order = [fitted.index(name) for name in wanted]
    extras = {k: v[..., order] if k in by_target else v for k, v in got.extras.items()}
    quantiles = None if got.quantiles is None else got.quantiles[:, :, order]
    return replace(got, mean=got.mean[:, :, order], quantiles=quantiles, extras=extras)

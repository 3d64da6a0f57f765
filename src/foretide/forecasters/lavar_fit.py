"""How LAVAR is fitted, stage by stage, and how it predicts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from foretide.data.counts import are_counts, buckets, density
from foretide.data.seasons import main_season, seasons_of
from foretide.data.windows import Windows, slide
from foretide.errors import DataError
from foretide.forecasters.base import Prediction
from foretide.forecasters.error_law import ErrorLaw, Errors
from foretide.forecasters.guardrails import Guard
from foretide.forecasters.latent_effects import LatentEffects, fit_effects
from foretide.forecasters.latent_state import LatentState, compact_rows
from foretide.forecasters.lavar import stage_kwargs
from foretide.forecasters.lavar_parts import Parts, columns_of
from foretide.forecasters.neural import covered_calendar
from foretide.forecasters.seasonal_base import SeasonalBase, standard_recipes
from foretide.heads.base import HeadShape
from foretide.heads.table import HEADS, Route, mask_of, resolve
from foretide.seeding import seeded_init, torch_generator
from foretide.training.head_bank import HeadBank, HeadData, train_heads
from foretide.training.prepare import Preparation, seen_in_training
from foretide.training.stages import Stage
from foretide.training.store import Store, WindowBatches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.forecasters.base import FitPart
    from foretide.forecasters.lavar import LAVAR

    Floats = NDArray[np.float64]

MAX_ELEMENTS = 40_000_000
"""Training windows are thinned out evenly so that stage 2 holds no more numbers than this."""
AT_ONCE = 2048
LARGEST_CHANGE = 0.5
MARGIN = 0.02
"""What heads must gain on validation windows to be kept, and latent effects lose to go."""


def fit_parts(model: LAVAR, part: FitPart, teacher: Parts | None) -> tuple[Parts, dict[str, list[dict[str, Any]]]]:
    """Fit everything; with a teacher, stage 1 is taken from it and the rest begins where it ended."""
    panel, train = seen_in_training(part.panel, part.train), part.train
    rates, where = _buckets(model, train, teacher)
    heads = _heads(model, train, where)
    calendar = covered_calendar(train) if isinstance(model.calendar, str) else model.calendar
    preparation = Preparation.fit(train, calendar)
    if teacher is not None:
        preparation = like_teacher(preparation, teacher.preparation, train)
    windows = part.windows(panel, input_size=model.order + 1, h=model.h)
    history: dict[str, list[dict[str, Any]]] = {}
    generator = torch_generator(model.seed)
    with seeded_init(model.seed):
        if teacher is None:
            state, first = _stage_one(model, panel, preparation, windows, generator)
            history["stage1"] = first
        else:
            state = teacher.state
    windows = (_thinned(model, panel, windows[0], state), windows[1])
    plain = _base(model, train, teacher)
    base, effects = plain, None
    if model.supply.effects:
        base, effects = _with_effects(model, plain, train, windows[0], preparation, state, teacher)
    n, d = panel.n_entities, panel.n_targets
    positive = (base.shift == 0).all(axis=0)
    bare = Parts(
        panel.targets, where, rates, heads, preparation, state, base, effects, HeadBank({}, {}, HeadShape(1, d), torch.ones(1, d)),
        HeadShape(1, d), np.ones((n, d)), positive, None, Guard(np.ones((n, d)), np.ones((n, d), bool)),
        model.supply.own_history,
    )  # fmt: skip
    truth = [_truth(panel, w, model.h) for w in windows]
    bare = _better(bare, dataclasses.replace(bare, base=plain, effects=None), panel, windows, truth, model.h)
    seen = [_see(bare, panel, w, model.h) if len(w) else None for w in windows]
    assert seen[0] is not None
    unit = _units(seen[0].base, truth[0], windows[0].entity, train)
    shape = HeadShape(seen[0].features.shape[2], d, model.h, n, private=n > 1)
    with seeded_init(model.seed):
        bank = HeadBank(heads, columns_of(where), shape, torch.from_numpy(unit.astype(np.float32)))
    if teacher is not None:
        _inherit(bank, teacher.bank)
    data = [None if s is None else s.for_heads(unit, y, positive) for s, y in zip(seen, truth, strict=True)]
    assert data[0] is not None
    stage = Stage(**stage_kwargs(model.stages, 2))
    history["stage2"] = train_heads(bank, data[0], data[1], stage, generator, MARGIN).epochs
    fitted = dataclasses.replace(bare, bank=bank, shape=shape, unit=unit, guard=_guard(model, train))
    law = _law(fitted, panel, windows, seen, truth, model.h, train)
    if model.supply.refit and part.train is not part.panel:
        fitted = _refit(model, fitted, panel, teacher)
    return dataclasses.replace(fitted, law=law), history


def predict_parts(
    parts: Parts, panel: Panel, windows: Windows, h: int, quantiles: tuple[float, ...], traces: tuple[str, ...]
) -> tuple[Prediction, dict[str, int]]:
    """Forecast from windows; return the forecast and what the guardrails did."""
    seen = _see(parts, panel, windows, h)
    mean, law_quantiles = _means(parts, seen, quantiles)
    found: Floats | None = None
    where = parts.base.positions(panel)[windows.entity]
    if quantiles:
        assert parts.law is not None
        names = [panel.ids[i] for i in windows.entity]
        found = parts.law.quantiles(mean, names, windows.steps(panel), quantiles)
        for columns, own in law_quantiles:
            found[:, :, columns] = own
    mean, found, interventions = parts.guard.apply(panel, windows, where, mean, found)
    extras: dict[str, Any] = {}
    if "base" in traces:
        extras["base"] = seen.base
    if "latent" in traces:
        extras["latent"] = seen.features[..., : parts.state.model.config.latent]
    return Prediction(mean, found, extras), interventions


# -------------------------------------------------------------------- what the heads see
@dataclasses.dataclass(frozen=True, eq=False)
class _Seen:
    """Features ``[W, H, F]``, base ``[W, H, D]`` in original units and the fitted entity ``[W]`` of windows."""

    features: NDArray[np.float32]
    base: Floats
    entity: NDArray[np.int64]

    def for_heads(self, unit: Floats, y: Floats | None, positive: NDArray[np.bool_]) -> HeadData:
        """In each series' unit; a correction of one is the base itself, or one unit where values may be negative."""
        own = unit[self.entity][:, None, :]
        base = (self.base / own).astype(np.float32)
        scale = np.where(positive, np.maximum(base, 0.0), 1.0).astype(np.float32)
        truth = base if y is None else (np.nan_to_num(y) / own).astype(np.float32)
        observed = None if y is None or not np.isnan(y).any() else torch.from_numpy(~np.isnan(y))
        features, bases, scales, y_ = (
            torch.from_numpy(np.ascontiguousarray(a)) for a in (self.features, base, scale, truth)
        )
        return HeadData(features, bases, scales, y_, observed, torch.from_numpy(self.entity))


def _see(parts: Parts, panel: Panel, windows: Windows, h: int) -> _Seen:
    z, ahead = parts.state.read(panel, parts.preparation, windows, h)
    where = parts.base.positions(panel)
    past = later = None
    if parts.effects is not None:
        own = parts.effects.take(where)
        past, later = own.past(panel, z), own.ahead(windows.entity, ahead)
    base = parts.base.at(panel, windows, h, past, later)
    features = [ahead.astype(np.float32), *_known(parts, panel, windows, h)]
    return _Seen(np.concatenate(features, axis=2), base, where[windows.entity])


def _known(parts: Parts, panel: Panel, windows: Windows, h: int) -> list[NDArray[np.float32]]:
    """Known-future columns and calendar over the horizon, and the targets' recent values where asked for."""
    order = parts.state.model.config.order
    store = Store(panel, parts.preparation, input_size=order, h=h)
    batches = WindowBatches(store, windows)
    found = []
    if parts.preparation.n_known(panel):
        chosen = torch.split(torch.arange(len(windows)), AT_ONCE)
        known = [batches.inputs(c).known for c in chosen]
        found.append(torch.cat([k for k in known if k is not None]).numpy())
    if parts.own_history:
        d, row0 = panel.n_targets, compact_rows(panel)
        rows = row0[windows.entity] + windows.cutoff
        recent = [store.array[rows, :d], np.mean([store.array[rows - k, :d] for k in range(order)], axis=0)]
        found += [np.repeat(np.asarray(r, dtype=np.float32)[:, None], h, axis=1) for r in recent]
    return found


@torch.no_grad()
def _means(parts: Parts, seen: _Seen, levels: tuple[float, ...]) -> tuple[Floats, list[tuple[list[int], Floats]]]:
    """Point forecasts ``[W, H, D]`` in original units, and quantiles of the heads that have a law."""
    mean = np.zeros_like(seen.base)
    data = seen.for_heads(parts.unit, None, parts.positive)
    unit = parts.unit[seen.entity][:, None, :]
    laws: list[tuple[list[int], Floats]] = []
    for bucket, columns in parts.bank.columns.items():
        own, routes = data.columns(columns), parts.routes(bucket)
        counts, has_law = (mask_of(routes, len(columns), attribute) for attribute in ("counts", "has_law"))
        got, quantiles = [], []
        for low in range(0, len(own), AT_ONCE):
            law = parts.bank.law(bucket, own, slice(low, low + AT_ONCE))
            got.append(law.mean().double().numpy())
            found = law.quantiles(levels) if levels else None
            if found is not None:
                quantiles.append(found.double().numpy()[:, :, has_law])
        # The mean of a count law is never quite zero, but where the base is, a correction by factors leaves it there.
        silent = counts & (seen.base[:, :, columns] == 0)
        mean[:, :, columns] = np.where(silent, 0.0, np.concatenate(got) * unit[:, :, columns])
        if quantiles:
            where = [j for j, known in zip(columns, has_law, strict=True) if known]
            values = np.concatenate(quantiles) * unit[:, :, where, None]
            laws.append((where, np.where(counts[has_law][:, None], np.round(values), values)))
    return mean, laws


# -------------------------------------------------------------------- the steps of a fit
def _buckets(model: LAVAR, train: Panel, teacher: Parts | None) -> tuple[Floats, tuple[str, ...]]:
    rates = np.nan_to_num(density(train)).mean(axis=0)
    if teacher is not None:
        return rates, teacher.buckets
    return rates, tuple(str(b) for b in buckets(rates, model.supply.dense, model.supply.ultra))


def _heads(model: LAVAR, train: Panel, where: tuple[str, ...]) -> dict[str, Any]:
    """Head of each bucket, options filled in; count heads only for counts."""
    counts = are_counts(train)
    names = model.heads
    if isinstance(names, str):
        names = ("delta", "delta", "zinb" if counts.all() else "delta")
    found: dict[str, Any] = {}
    for bucket, spec in zip(("dense", "sparse", "ultra"), names, strict=True):
        columns = [j for j, b in enumerate(where) if b == bucket]
        if not columns:
            continue
        routes = resolve(spec, [train.targets[j] for j in columns])
        wrong = mask_of(routes, len(columns), "counts") & ~counts[columns]
        if wrong.any():
            raise_not_counts(train, columns[int(np.argmax(wrong))], spec)
        found[bucket] = _with_options(model, spec, routes)
    return found


def _with_options(model: LAVAR, spec: Any, routes: list[Route]) -> Any:
    """Fill in what LAVAR asks of heads by default; columns become positions."""
    filled = [{**_defaults(model, route.name), **route.options} for route in routes]
    if routes[0].columns is None:
        return {"name": routes[0].name, **filled[0]}
    named = zip(spec, routes, filled, strict=True)
    return {name: {**options, "columns": list(route.columns or ())} for name, route, options in named}


def _defaults(model: LAVAR, head: str) -> dict[str, Any]:
    """No running sum on a seasonal base, logarithmic links."""
    if head == "delta":
        running = model.supply.base == "last"
        weights = model.supply.horizon_weights
        return {"cumulative": running, "on": "increments" if running else "level", "weights": weights}
    return {"link": "log"} if HEADS[head].counts else {}


def raise_not_counts(panel: Panel, column: int, head: Any) -> None:
    """Say which value of a target is no count."""
    for i in range(panel.n_entities):
        y = np.asarray(panel.rows(i)[:, column], dtype=np.float64)
        bad = np.flatnonzero(~np.isnan(y) & ((y < 0) | (y != np.round(y))))
        if bad.size:
            time = panel.grid.output_times([int(panel.first[i] + bad[0])])[0]
            raise DataError(
                f"Head {head!r} needs counts, whole numbers of at least 0; target {panel.series_name(i, column)!r} is "
                f"{y[bad[0]]:g} at {time}. Type heads='auto', or a head for measured values such as 'delta'."
            )
    raise DataError(f"Head {head!r} needs counts; target {panel.targets[column]!r} has no value in the training part.")


def _stage_one(
    model: LAVAR, panel: Panel, preparation: Preparation, windows: tuple[Windows, Windows], generator: torch.Generator
) -> tuple[LatentState, list[dict[str, Any]]]:
    source = model.supply.encode
    if source == "auto":
        source = "past" if panel.past else "targets"
    if source == "past" and not panel.past:
        raise DataError("encode='past' needs past columns, the panel has none. Type encode='targets', or name some.")
    channels = {"past": len(panel.past), "targets": panel.n_targets, "both": panel.n_targets + len(panel.past)}[source]
    config = dataclasses.replace(model.config, latent=min(model.config.latent, channels))
    stage = Stage(**stage_kwargs(model.stages, 1))
    state, history = LatentState.fit(panel, preparation, windows, model.h, config, source, stage, generator)
    return state, history.epochs


def _base(model: LAVAR, train: Panel, teacher: Parts | None) -> SeasonalBase:
    """Fit the base on a part."""
    seasons = tuple(seasons_of(train.grid.freq)) if model.seasons is None else tuple(int(s) for s in model.seasons)
    longest = int(train.observed.max()) // 2
    seasons = tuple(s for s in seasons if s <= longest)
    season = int(main_season(train)) if model.seasons is None else max(seasons, default=1)
    kinds = None if model.supply.base == "auto" else (model.supply.base,)
    recipes = standard_recipes(seasons, kinds)
    calendar = None if isinstance(model.calendar, str) else model.calendar
    prior = None if teacher is None else teacher.base
    return SeasonalBase.fit(train, model.h, recipes, season, calendar=calendar, prior=prior)


def _with_effects(
    model: LAVAR,
    base: SeasonalBase,
    train: Panel,
    windows: Windows,
    preparation: Preparation,
    state: LatentState,
    teacher: Parts | None,
) -> tuple[SeasonalBase, LatentEffects]:
    """Let the latent state enter the levels."""
    z, ahead = state.read(train, preparation, windows, model.h, all_rows=True)
    prior = None if teacher is None or teacher.effects is None else teacher.effects.shared
    return fit_effects(base, train, windows, model.h, z, ahead, prior)


def _better(
    rich: Parts,
    plain: Parts,
    panel: Panel,
    windows: tuple[Windows, Windows],
    truth: list[Floats],
    h: int,
) -> Parts:
    """Latent effects, drawn towards zero already, go where validation windows speak against them: by :data:`MARGIN`."""
    if rich.effects is None or not len(windows[1]):
        return rich
    mean_squares = [
        _by_series((_see(parts, panel, windows[1], h).base - truth[1]) ** 2, windows[1].entity, panel.n_entities)
        for parts in (rich, plain)
    ]
    least = np.maximum(mean_squares[1], 1e-300)
    change = np.where(mean_squares[1] > 0, (mean_squares[0] - mean_squares[1]) / least, 0.0)
    # The few validation windows of a rare series may change by any factor: it must not decide for all.
    return rich if float(np.nanmean(np.clip(change, -LARGEST_CHANGE, LARGEST_CHANGE))) < MARGIN else plain


def _by_series(values: Floats, entity: NDArray[np.int64], n: int) -> Floats:
    """Mean over the windows of each entity, ``[W, H, D] -> [N, D]``; NaN where nothing was observed."""
    seen = ~np.isnan(values)
    total, count = np.zeros((n, values.shape[2])), np.zeros((n, values.shape[2]))
    np.add.at(total, entity, np.where(seen, values, 0.0).sum(axis=1))
    np.add.at(count, entity, seen.sum(axis=1))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _refit(model: LAVAR, fitted: Parts, panel: Panel, teacher: Parts | None) -> Parts:
    """Base and effects from training and validation part together."""
    base, effects = _base(model, panel, teacher), fitted.effects
    if effects is not None:
        windows = _thinned(model, panel, slide(panel, input_size=model.order + 1, h=model.h), fitted.state)
        base, effects = _with_effects(model, base, panel, windows, fitted.preparation, fitted.state, teacher)
    return dataclasses.replace(fitted, base=base, effects=effects)


def _thinned(model: LAVAR, panel: Panel, windows: Windows, state: LatentState) -> Windows:
    """At most so many windows that stage 2 holds :data:`MAX_ELEMENTS` numbers, through all season positions."""
    width = model.h * (4 * panel.n_targets + state.model.config.latent + 16)
    stride = max(1, -(-len(windows) * width // MAX_ELEMENTS))
    while stride > 1 and any(np.gcd(stride, s) > 1 for s in seasons_of(panel.grid.freq)):
        stride += 1
    return windows[np.arange(len(windows))[::-1][::stride][::-1]]


def _truth(panel: Panel, windows: Windows, h: int) -> Floats:
    rows = windows.rows(panel)[:, None] + np.arange(1, h + 1)
    return np.asarray(panel.values[rows][..., : panel.n_targets], dtype=np.float64)


def _units(base: Floats, y: Floats, entity: NDArray[np.int64], train: Panel) -> Floats:
    """Root mean squared errors of the base, ``[N, D]``, never below what one value in the training part would give."""
    n, d = train.n_entities, train.n_targets
    unit = np.ones((n, d))
    for i in range(n):
        error = (base - y)[entity == i]
        seen = ~np.isnan(error)
        rows = np.asarray(train.rows(i)[: train.observed[i], :d], dtype=np.float64)
        largest = np.nan_to_num(np.abs(rows)).max(axis=0, initial=0.0)
        square = np.where(seen, error, 0.0) ** 2
        floor = np.where(largest > 0, largest, 1.0) ** 2 / max(len(rows), 1)
        unit[i] = np.sqrt(square.sum(axis=(0, 1)) / np.maximum(seen.sum(axis=(0, 1)), 1) + floor)
    return unit


def _law(
    parts: Parts,
    panel: Panel,
    windows: tuple[Windows, Windows],
    seen: list[_Seen | None],
    truth: list[Floats],
    h: int,
    train: Panel,
) -> ErrorLaw:
    """Law around point forecasts from errors on validation windows; on training windows where there are none."""
    which = 1 if seen[1] is not None else 0
    own = seen[which]
    assert own is not None
    mean = np.maximum(_means(parts, own, ())[0], np.where(parts.positive, 0.0, -np.inf))
    kinds = tuple("negative_binomial" if count else "normal" for count in are_counts(panel))
    errors = Errors(mean, truth[which], own.entity, windows[which].steps(panel))
    return ErrorLaw.fit(errors, kinds, parts.preparation.ids, h, int(main_season(train)))


def _guard(model: LAVAR, train: Panel) -> Guard:
    supply = model.supply
    return Guard.fit(train, supply.bound_quantile, supply.bound_factor, supply.gate, supply.whole)


# -------------------------------------------------------------------- a new entity
def like_teacher(own: Preparation, teacher: Preparation, train: Panel) -> Preparation:
    """Scales of new entities, drawn towards those of the teacher's: a few weeks of slow covariates tell little."""
    between = teacher.location.var(axis=0)
    effective = np.maximum(train.observed / EFFECTIVE_ROWS, 1.0)[:, None]
    noise = own.scale**2 / effective
    weight = np.where(between + noise > 0, between / np.maximum(between + noise, 1e-300), 1.0)
    if len(teacher.ids) == 1:
        weight = np.zeros_like(weight)
    location = weight * own.location + (1 - weight) * teacher.location.mean(axis=0)
    return dataclasses.replace(
        own, location=location, scale=np.broadcast_to(np.median(teacher.scale, axis=0), own.scale.shape).copy(),
        known_location=teacher.known_location, known_scale=teacher.known_scale, calendar=teacher.calendar,
    )  # fmt: skip


EFFECTIVE_ROWS = 20.0
"""So many neighbouring rows of a covariate say as much as one independent row."""


@torch.no_grad()
def _inherit(bank: HeadBank, teacher: HeadBank) -> None:
    """Begin at the teacher's heads: shared weights as they are, those of each entity at their mean over entities."""
    theirs = teacher.state_dict()
    for name, own in bank.state_dict().items():
        if name == "unit":
            continue
        found = theirs.get(name)
        if "private" in name:
            own.zero_()
        elif found is not None and found.shape == own.shape:
            own.copy_(found)
        elif found is not None and found.shape[1:] == own.shape[1:]:
            own.copy_(found.float().mean(dim=0, keepdim=True).expand_as(own))

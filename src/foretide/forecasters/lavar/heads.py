"""Which head each target of LAVAR gets, and where the heads of new entities begin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from foretide.data.counts import BUCKETS, are_counts, buckets, density
from foretide.errors import DataError
from foretide.forecasters.lavar.config import BY_CHANCE
from foretide.forecasters.networks.distribution import check_counts
from foretide.heads.table import HeadSpec, Route, mask_of, placed, resolve
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.lavar.lavar import LAVAR
    from foretide.forecasters.lavar.parts import Parts
    from foretide.forecasters.lavar.seasonal_base import SeasonalBase
    from foretide.training.head_bank import HeadBank
    from foretide.training.prepare import Preparation

MOSTLY = 0.5
"""A base with at least this weight on single values is corrected in units."""
EFFECTIVE_ROWS = 20.0
"""So many neighbouring rows of a covariate say as much as one independent row."""
ALONE_VARIANCE = 0.25
"""Variance of the logarithms of scales between entities where one alone was fitted."""


def buckets_of(model: LAVAR, train: Panel, teacher: Parts | None) -> tuple[Floats, Ints]:
    """Return nonzero rates and buckets of all series ``[N, D]``, as far as a teacher has heads for them."""
    rates = density(train)
    if teacher is not None:
        return rates, teacher.buckets_at(rates, observed_at_all(train))
    return rates, coded(rates, (model.supply.dense, model.supply.ultra))


def coded(rates: Floats, thresholds: tuple[float, float]) -> Ints:
    """Bucket of each rate, by its position in :data:`BUCKETS`."""
    found = buckets(rates, *thresholds)[..., None] == np.array(BUCKETS)
    return np.asarray(np.argmax(found, axis=-1))


def observed_at_all(panel: Panel) -> Bools:
    """Whether anything was observed of each series, ``[N, D]``."""
    rows = (panel.rows(i)[:, : panel.n_targets] for i in range(panel.n_entities))
    return np.stack([(~np.isnan(own)).any(axis=0) for own in rows])


def columns_of(found: Ints) -> dict[str, list[int]]:
    """Positions of the targets of each bucket, buckets in order of first appearance."""
    return {BUCKETS[k]: np.flatnonzero((found == k).any(axis=0)).tolist() for k in dict.fromkeys(found.T.ravel())}


def members_of(found: Ints, columns: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Which series ``[N, targets]`` of its targets each bucket has."""
    return {b: torch.from_numpy(found[:, list(where)] == BUCKETS.index(b)) for b, where in columns.items()}


def by_share(base: SeasonalBase, rates: Floats) -> Bools:
    """Series ``[N, D]`` whose correction is a share of the base; the others are corrected in units.

    Units are for what a share cannot correct: a base that may be negative, one that is mostly single values of a series
    with zeros, which are zero by chance, and one that is always zero, after a silent training part.
    """
    single = np.array([recipe.kind in BY_CHANCE for recipe in base.recipes])
    by_chance = np.where(single[base.picks], base.weights, 0.0).sum(axis=2) >= MOSTLY
    return np.asarray((base.shift == 0) & ~(by_chance & ((rates < 1) | single.all())) & (rates > 0))


def heads_of(model: LAVAR, train: Panel, columns: Mapping[str, Sequence[int]]) -> dict[str, HeadSpec]:
    """Head of each bucket with its targets' positions, options filled in; count heads only for counts."""
    names = model.heads
    if isinstance(names, str):
        names = model.for_counts if are_counts(train).all() else model.for_counts[:1] * len(BUCKETS)
    found: dict[str, HeadSpec] = {}
    everywhere: list[Route] = []
    for bucket, spec in zip(BUCKETS, names, strict=True):
        if bucket in columns:
            routes = resolve(spec, [train.targets[j] for j in columns[bucket]])
            everywhere += placed(routes, columns[bucket])
            found[bucket] = _with_options(model, spec, routes)
    check_counts(train, everywhere, "heads='auto', or 'delta'")
    unknown = mask_of(everywhere, train.n_targets, "counts") & ~are_counts(train)
    if unknown.any():
        name = train.targets[int(np.argmax(unknown))]
        raise DataError(f"A head of counts needs counts; target {name!r} has no value in the training part.")
    return found


def _with_options(model: LAVAR, spec: HeadSpec, routes: Sequence[Route]) -> HeadSpec:
    """Fill in what LAVAR asks of heads by default; columns become positions."""
    filled = [{**_defaults(model, route), **route.options} for route in routes]
    if routes[0].places is None:
        return {"name": routes[0].name, **filled[0]}
    named = zip(spec, routes, filled, strict=True)
    return {name: {**options, "columns": list(route.places or ())} for name, route, options in named}


def _defaults(model: LAVAR, route: Route) -> dict[str, object]:
    """No running sum, which would leave a last value by a share of the way only; logarithmic links on a level."""
    if route.name == "delta":
        return {"cumulative": False, "on": "level", "weights": model.supply.horizon_weights}
    return {"link": "log"} if "log" in route.cls.links and model.supply.base not in BY_CHANCE else {}


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


def like_fitted(own: Preparation, fitted: Preparation, panel: Panel) -> Preparation:
    """Scales of entities that were not there at fit: targets by their own rows, covariates drawn to those fitted.

    How far covariates of entities lie apart is seen where several were fitted, else taken to be as far as their rows.
    """
    d, several = panel.n_targets, len(fitted.ids) > 1
    effective = np.maximum(panel.observed / EFFECTIVE_ROWS, 1.0)[:, None]
    logs = np.log(fitted.scale)
    between = logs.var(axis=0) if several else np.full(logs.shape[1], ALONE_VARIANCE)
    # A column that does not vary in a window has the scale of no column, one.
    weight = np.where(own.scale == 1.0, 0.0, between / (between + 0.5 / effective))
    scale = np.exp(weight * np.log(own.scale) + (1 - weight) * logs.mean(axis=0))
    between = fitted.location.var(axis=0) if several else fitted.scale[0] ** 2
    weight = between / (between + scale**2 / effective)
    location = weight * own.location + (1 - weight) * fitted.location.mean(axis=0)
    location[:, :d], scale[:, :d] = own.location[:, :d], own.scale[:, :d]
    return dataclasses.replace(own, location=location, scale=scale)


@torch.no_grad()
def inherit(bank: HeadBank, teacher: HeadBank) -> None:
    """Begin at the teacher's heads; shared weights take over the mean of those of each entity, which begin at zero."""
    for bucket, head in bank.heads.items():
        if bucket not in teacher.heads or bank.columns[bucket] != teacher.columns[bucket]:
            continue
        theirs, member = teacher.heads[bucket].state_dict(), teacher.members.get(bucket)
        some = slice(None) if member is None else member.any(dim=1)
        for name, own in head.state_dict().items():
            found, private = theirs.get(name), theirs.get(_private(name))
            if "private" in name:
                own.zero_()
            elif found is not None and private is not None:
                own.copy_(found + private[some].mean(dim=0))
            elif found is not None and found.shape == own.shape:
                own.copy_(found)
            elif found is not None and found.shape[1:] == own.shape[1:]:
                own.copy_(found[some].float().mean(dim=0, keepdim=True).expand_as(own))


def _private(name: str) -> str:
    """Name of the weights of each entity beside shared ones: ``x.weight`` -> ``x.private_weight``."""
    stem, dot, last = name.rpartition(".")
    return f"{stem}{dot}private_{last}"

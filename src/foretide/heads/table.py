"""Heads by name; needs no torch until one is made."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np

from foretide.errors import ConfigError, nearest
from foretide.typing import Bools

if TYPE_CHECKING:
    from foretide.heads.base import Head, HeadShape

HeadSpec = str | Mapping[str, object]
"""A head as a person writes it: ``"nb"``, ``{"name": "quantile", "levels": [0.1, 0.5, 0.9]}``, or columns by head,
``{"nb": ["beds"], "point": ["cost"]}``."""


@dataclass(frozen=True)
class HeadKind:
    """One line of the table.

    Attributes
    ----------
    place : str or class
        ``module:class``, which is imported when a head is made or asked what it can do; or the class itself.
    options : dict
        What the class is always given.
    """

    place: str | type[Head]
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def cls(self) -> type[Head]:
        """The class; its attributes say what it can do: ``has_distribution``, ``counts``, ``levels``."""
        return _class_at(self.place) if isinstance(self.place, str) else self.place


@cache
def _class_at(place: str) -> type[Head]:
    """Return the class at ``module:class``."""
    module, _, name = place.partition(":")
    found: type[Head] = getattr(importlib.import_module(module), name)
    return found


HEADS: dict[str, HeadKind] = {
    "point": HeadKind("foretide.heads.point:PointHead"),
    "absolute": HeadKind("foretide.heads.point:PointHead", {"error": "absolute"}),
    "huber": HeadKind("foretide.heads.point:PointHead", {"error": "huber"}),
    "delta": HeadKind("foretide.heads.delta:DeltaHead"),
    "plain": HeadKind("foretide.heads.point:PointHead", {"widths": (), "bounded": False}),
    "gaussian": HeadKind("foretide.heads.continuous:GaussianHead"),
    "student_t": HeadKind("foretide.heads.continuous:StudentTHead"),
    "quantile": HeadKind("foretide.heads.quantile:QuantileHead"),
    "poisson": HeadKind("foretide.heads.count_heads:PoissonHead"),
    "nb": HeadKind("foretide.heads.count_heads:NegativeBinomialHead"),
    "zinb": HeadKind("foretide.heads.count_heads:ZeroInflatedHead"),
    "hurdle": HeadKind("foretide.heads.hurdle:HurdleHead"),
    "plain_zinb": HeadKind("foretide.heads.plain:PlainZeroInflatedHead"),
}
"""Heads by name."""

ALIASES = {"negative_binomial": "nb", "zero_inflated_negative_binomial": "zinb", "normal": "gaussian"}


@dataclass(frozen=True)
class Route:
    """One head of a specification: its kind, its options, and its columns (None: all)."""

    name: str
    options: Mapping[str, object]
    columns: tuple[str | int, ...] | None = None

    @property
    def places(self) -> tuple[int, ...] | None:
        """Its columns after :func:`resolve`, as positions."""
        return None if self.columns is None else tuple(int(column) for column in self.columns)

    @property
    def cls(self) -> type[Head]:
        """Its class."""
        return HEADS[self.name].cls

    @property
    def uncentred(self) -> bool:
        """Whether its targets are scaled but not centred: counts, and forecasts that are cut off at zero."""
        return self.cls.counts or bool(self.options.get("nonnegative", False))

    @property
    def at_base(self) -> bool:
        """Whether it forecasts its base before it has learned anything; layers with ``widths`` begin at random."""
        return self.cls.corrects and {**HEADS[self.name].options, **self.options}.get("widths") is None

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that its distribution holds; None where it holds all, or has none."""
        levels = self.cls.levels and cast("Sequence[float]", self.options.get("levels") or self.cls.levels)
        return (float(min(levels)), float(max(levels))) if levels else None

    def make(self, shape: HeadShape, **options: object) -> Head:
        """Make the head; a :class:`ConfigError` says which option it does not know."""
        given = {**self.options, **options}
        try:
            return self.cls(shape, **{**HEADS[self.name].options, **given})
        except TypeError as error:
            raise ConfigError(f"Head {self.name!r} cannot be made with {given!r}: {error}.") from error


def canonical(name: object) -> str:
    """Return the name a head stands under in the table.

    Parameters
    ----------
    name : str
        Or one of its other names.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        When no head has that name; the nearest one is suggested.
    """
    found = ALIASES.get(name, name) if isinstance(name, str) else None
    if found not in HEADS:
        raise ConfigError(f"There is no head {name!r}. {nearest(name, [*HEADS, *ALIASES])}")
    return str(found)


def routes(spec: HeadSpec) -> list[Route]:
    """Read a specification.

    Parameters
    ----------
    spec : str or dict
        See :data:`HeadSpec`.

    Returns
    -------
    list of Route
        One, or one of each head that gets columns of its own.

    Examples
    --------
    >>> from foretide.heads.table import routes
    >>> [(route.name, route.columns) for route in routes({"nb": ["beds"], "point": ["cost"]})]
    [('nb', ('beds',)), ('point', ('cost',))]

    Raises
    ------
    ConfigError
        When a name is unknown or a dict says neither one head nor columns.
    """
    if isinstance(spec, str):
        return [Route(canonical(spec), {})]
    if not isinstance(spec, Mapping) or not spec:
        raise ConfigError(
            f"head is a name such as 'nb', a dict with a name, {{'name': 'quantile', 'levels': [...]}}, or columns by "
            f"head, {{'nb': ['a'], 'point': ['b']}}; got {spec!r}."
        )
    if "name" in spec:
        return [Route(canonical(spec["name"]), {k: v for k, v in spec.items() if k != "name"})]
    found = []
    for name, given in spec.items():
        options = dict(given) if isinstance(given, Mapping) else {"columns": given}
        columns = options.pop("columns", None)
        if isinstance(columns, (str, int)):
            columns = [columns]
        if not isinstance(columns, Sequence):
            raise ConfigError(f"Which columns go to head {name!r}? Got {given!r}. Type e.g. {{'{name}': ['a', 'b']}}.")
        found.append(Route(canonical(name), options, tuple(columns)))
    return found


def resolve(spec: HeadSpec, targets: Sequence[str]) -> list[Route]:
    """Read a specification and turn names of targets into positions; each target must go to exactly one head.

    Parameters
    ----------
    spec : str or dict
        See :data:`HeadSpec`.
    targets : sequence of str

    Returns
    -------
    list of Route

    Raises
    ------
    ConfigError
        When a target is unknown, missing or named twice.
    """
    known = {name: i for i, name in enumerate(targets)}
    out, seen = [], set()
    for route in routes(spec):
        if route.columns is None:
            return [route]
        places = []
        for column in route.columns:
            place = known.get(column) if isinstance(column, str) else column
            if place is None or not 0 <= place < len(targets):
                raise ConfigError(f"Head {route.name!r} is given the target {column!r}. {nearest(column, targets)}")
            if place in seen:
                raise ConfigError(f"Target {targets[place]!r} is given to two heads. Name it once.")
            seen.add(place)
            places.append(place)
        out.append(Route(route.name, route.options, tuple(places)))
    left = [name for i, name in enumerate(targets) if i not in seen]
    if left:
        raise ConfigError(f"No head is given for target {left[0]!r}. Add it: {{'point': {left!r}}}.")
    return out


def placed(found: Sequence[Route], columns: Sequence[int]) -> list[Route]:
    """Turn positions among some targets into positions among all.

    Parameters
    ----------
    found : sequence of Route
        From :func:`resolve` for some targets.
    columns : sequence of int
        Where these targets stand among all.

    Returns
    -------
    list of Route
    """
    return [replace(r, columns=tuple(columns[j] for j in r.places or range(len(columns)))) for r in found]


def shared_range(ranges: Iterable[tuple[float, float] | None]) -> tuple[float, float] | None:
    """Return the outermost quantiles that all of several distributions hold; None where nothing limits them."""
    known = [limits for limits in ranges if limits is not None]
    return (max(low for low, _ in known), min(high for _, high in known)) if known else None


def mask_of(found: Sequence[Route], n_targets: int, attribute: str) -> Bools:
    """Which targets ``[D]`` go to a head that has an attribute such as ``"counts"``, or is ``"uncentred"``."""
    mask = np.zeros(n_targets, dtype=bool)
    for route in found:
        value = route.uncentred if attribute == "uncentred" else getattr(route.cls, attribute)
        mask[slice(None) if route.places is None else list(route.places)] = value
    return mask


def make_head(spec: HeadSpec, shape: HeadShape, targets: Sequence[str] = (), **options: object) -> Head:
    """Return a new head.

    Parameters
    ----------
    spec : str or dict
        See :data:`HeadSpec`.
    shape : HeadShape
    targets : sequence of str, optional
        Names of the targets, where the specification uses them.
    **options
        For a single head, beside those of the specification.

    Returns
    -------
    Head

    Examples
    --------
    >>> from foretide.heads.base import HeadShape
    >>> from foretide.heads.table import make_head
    >>> make_head("gaussian", HeadShape(features=8, targets=2, h=3)).has_distribution
    True

    Raises
    ------
    ConfigError
        When a head, an option or a target is unknown; the nearest one is suggested.
    """
    found = resolve(spec, targets or [str(i) for i in range(shape.targets)])
    if found[0].columns is None:
        return found[0].make(shape, **options)
    from foretide.heads.routed import RoutedHead

    return RoutedHead(shape, found)

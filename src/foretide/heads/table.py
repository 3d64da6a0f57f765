"""Heads by name; needs no torch until one is made."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.heads.base import Head, HeadShape

HeadSpec = str | Mapping[str, Any]
"""A head as a person writes it: ``"nb"``, ``{"name": "quantile", "levels": [0.1, 0.5, 0.9]}``, or columns by head,
``{"nb": ["beds"], "point": ["cost"]}``."""


QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""What a quantile head is trained for, unless it is told otherwise."""


@dataclass(frozen=True)
class HeadKind:
    """One line of the table: where a head's class is, and what must be known of it before torch is imported.

    Attributes
    ----------
    path : str
        ``module:class``; the module is imported when a head is made.
    has_distribution, counts : bool
        As those of the class.
    levels : tuple of float
        Of a head that knows its distribution at some quantiles only: these, unless its option ``levels`` says others.
    options : dict
        What the class is always given.
    """

    path: str
    has_distribution: bool = True
    counts: bool = False
    levels: tuple[float, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, shape: HeadShape, **options: Any) -> Head:
        """Make a head."""
        module, _, name = self.path.partition(":")
        made: Head = getattr(importlib.import_module(module), name)(shape, **{**self.options, **options})
        return made


HEADS: dict[str, HeadKind] = {
    "point": HeadKind("foretide.heads.point:PointHead", has_distribution=False),
    "absolute": HeadKind("foretide.heads.point:PointHead", has_distribution=False, options={"error": "absolute"}),
    "huber": HeadKind("foretide.heads.point:PointHead", has_distribution=False, options={"error": "huber"}),
    "delta": HeadKind("foretide.heads.delta:DeltaHead", has_distribution=False),
    "gaussian": HeadKind("foretide.heads.continuous:GaussianHead"),
    "student_t": HeadKind("foretide.heads.continuous:StudentTHead"),
    "quantile": HeadKind("foretide.heads.quantile:QuantileHead", levels=QUANTILES),
    "poisson": HeadKind("foretide.heads.count_heads:PoissonHead", counts=True),
    "nb": HeadKind("foretide.heads.count_heads:NegativeBinomialHead", counts=True),
    "zinb": HeadKind("foretide.heads.count_heads:ZeroInflatedHead", counts=True),
}
"""Heads by name: a callable of (shape, **options)."""

ALIASES = {"negative_binomial": "nb", "zero_inflated_negative_binomial": "zinb", "normal": "gaussian"}


@dataclass(frozen=True)
class Route:
    """One head of a specification: its kind, its options, and its columns (None: all)."""

    name: str
    options: dict[str, Any]
    columns: tuple[Any, ...] | None = None

    @property
    def kind(self) -> HeadKind:
        """Its line of the table."""
        return HEADS[self.name]

    @property
    def uncentred(self) -> bool:
        """Whether its targets are scaled but not centred: counts, and forecasts that are cut off at zero."""
        return self.kind.counts or bool(self.options.get("nonnegative", False))

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that its distribution holds; None where it holds all, or has none."""
        levels = self.options.get("levels", ()) if self.kind.levels else ()
        levels = levels or self.kind.levels
        return (float(min(levels)), float(max(levels))) if levels else None

    def make(self, shape: HeadShape, **options: Any) -> Head:
        """Make the head; a :class:`ConfigError` says which option it does not know."""
        given = {**self.options, **options}
        try:
            return self.kind(shape, **given)
        except TypeError as error:
            raise ConfigError(f"Head {self.name!r} cannot be made with {given!r}: {error}.") from error


def canonical(name: Any) -> str:
    """Return the name a head stands under in the table.

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


def shared_range(ranges: Iterable[tuple[float, float] | None]) -> tuple[float, float] | None:
    """Return the outermost quantiles that all of several distributions hold; None where nothing limits them."""
    known = [limits for limits in ranges if limits is not None]
    return (max(low for low, _ in known), min(high for _, high in known)) if known else None


def mask_of(found: Sequence[Route], n_targets: int, attribute: str) -> NDArray[np.bool_]:
    """Which targets ``[D]`` go to a head that is ``"counts"``, ``"has_distribution"`` or ``"uncentred"``."""
    mask = np.zeros(n_targets, dtype=bool)
    for route in found:
        value = route.uncentred if attribute == "uncentred" else getattr(route.kind, attribute)
        mask[slice(None) if route.columns is None else list(route.columns)] = value
    return mask


def make_head(spec: HeadSpec, shape: HeadShape, targets: Sequence[str] = (), **options: Any) -> Head:
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

"""The simple baselines that run by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from foretide.data.time.seasons import seasons_of
from foretide.errors import MissingExtraError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.naming import folded
from foretide.forecasters.table import FORECASTERS, forecaster_class
from foretide.forecasters.wrappers.intervals import WithIntervals
from foretide.forecasters.wrappers.past_errors import ResidualWrapper
from foretide.typing import Json


def is_baseline(forecaster: object) -> bool:
    """Whether a forecaster counts as a baseline, as its class says, or that of what it wraps."""
    return bool(getattr(forecaster, "baseline", False))


def lacking(names: Iterable[str], beside: Iterable[object]) -> dict[str, str | None]:
    """Return which of some baselines are not among the models, and the alias of one whose name is taken.

    Parameters
    ----------
    names : iterable of str
        In the table of forecasters.
    beside : iterable of forecasters
        Those that run; one inside intervals counts too.
    """
    models = list(beside)
    kinds = {type(model) for model in models}
    kinds |= {type(part) for model in models if isinstance(model, ResidualWrapper) for part in _inside(model)}
    taken = {folded(str(getattr(model, "name", None) or type(model).__name__)) for model in models}
    found: dict[str, str | None] = {}
    for name in names:
        if name in FORECASTERS and forecaster_class(name) not in kinds:
            found[name] = f"{name}-baseline" if folded(name) in taken else None
    return found


def _inside(model: ResidualWrapper) -> list[Forecaster]:
    """Return what bears its own name inside a wrapper without one."""
    if model.alias is not None:
        return []
    return [model.inner, *(_inside(model.inner) if isinstance(model.inner, ResidualWrapper) else ())]


def default_names(*, counts: bool, seasonal: bool) -> tuple[str, ...]:
    """Return the names of the baselines that run by default.

    Parameters
    ----------
    counts : bool
        Whether every target is a count.
    seasonal : bool
        Whether a season is known or holidays are; without either there is no CalendarES.
    """
    wanted = {"always", *(("counts",) if counts else ()), *(("seasonal counts",) if counts and seasonal else ())}
    return tuple(name for name in FORECASTERS if forecaster_class(name).default_for in wanted)


def made(name: str, h: int, shared: Mapping[str, object], alias: str | None = None) -> Forecaster:
    """Return a forecaster by its name, with those of the shared settings that it knows."""
    cls = forecaster_class(name)
    known = cls.parameters()
    own: Json = {key: value for key, value in shared.items() if key in known}
    return cls(h=h, alias=alias, **own)


def with_intervals(forecaster: Forecaster) -> Forecaster:
    """Give a point forecaster the intervals of its own past errors, under its own name; others stay as they are."""
    if forecaster.has_distribution:
        return forecaster
    return WithIntervals(forecaster, alias=forecaster.name)


def simple_set(
    h: int,
    *,
    counts: bool,
    freq: str | int,
    shared: Mapping[str, object],
    beside: Iterable[object] = (),
) -> tuple[list[Forecaster], list[str]]:
    """Return the baselines that run by default, and a line for each that cannot because a package is missing.

    Parameters
    ----------
    h : int
        Steps forecast.
    counts : bool
        Whether every target is a count: the intermittent ones come too.
    freq : str or int
        Step of the grid.
    shared : mapping
        Settings handed to those that know them: ``season``, ``calendar``, ``input_size``.
    beside : iterable of forecasters
        Those that run already.
    """
    holidays = getattr(shared.get("calendar"), "country", None) is not None
    seasonal = bool(shared.get("season")) or bool(seasons_of(freq)) or holidays
    found: list[Forecaster] = []
    notes: list[str] = []
    for name, alias in lacking(default_names(counts=counts, seasonal=seasonal), beside).items():
        try:
            found.append(made(name, h, shared, alias))
        except MissingExtraError as error:
            notes.append(f"{name} left out: {error}")
    return found, notes

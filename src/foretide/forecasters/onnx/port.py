"""What goes into an exported graph, and what belongs to all of them: names, scales, zeros on closed steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from foretide.data.static import Static
from foretide.forecasters.part import without_future

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from foretide.data.panel import Panel
    from foretide.forecasters.fitted import Fitted
    from foretide.heads.base import Distribution, Parameter
    from foretide.typing import Json

    Groups = Sequence[tuple[Sequence[int], Distribution]]


@dataclass(frozen=True)
class Port:
    """An input of a graph.

    Attributes
    ----------
    name : str
    dtype : {"float64", "float32", "int64"}
    size : tuple of int
        Axes behind that of the batch.
    meaning : str
    columns : tuple of str
        What its last axis holds.
    """

    name: str
    dtype: Literal["float64", "float32", "int64"]
    size: tuple[int, ...]
    meaning: str
    columns: tuple[str, ...] = ()

    def facts(self) -> Json:
        """Everything but the name, as JSON."""
        found: Json = {"dtype": self.dtype, "shape": ["batch", *self.size], "meaning": self.meaning}
        return {**found, "columns": list(self.columns)} if self.columns else found


def layout_as_seen(fitted: Fitted, *, future: bool) -> Panel:
    """Return a panel without rows whose columns are those a model reads: text as indicators, known-future or not."""
    layout = fitted.layout
    bare = Static(layout.static.names, layout.static.values[:0])
    object.__setattr__(layout, "static", bare)
    seen, _ = fitted.indicators.apply(layout)
    return seen if future else without_future(seen)


class Ending(nn.Module):
    """What ``predict`` does with every mean: no values below zero where there never were, zero on closed steps.

    Parameters
    ----------
    fitted : Fitted
    targets : tuple of str
    known, calendar : tuple of str
        Columns of the inputs of these names.
    """

    floor: Tensor

    def __init__(self, fitted: Fitted, targets: Sequence[str], known: Sequence[str], calendar: Sequence[str]) -> None:
        super().__init__()
        assert fitted.stand_in is not None
        floors = [fitted.stand_in.floor[fitted.targets.index(name)] for name in targets]
        self.has_floor = any(floors)
        self.register_buffer("floor", torch.tensor(floors))
        levels = fitted.closures.levels
        self.levels = [(known.index(name), float(value)) for name, value in levels if name in known]
        on_holidays = fitted.closures.country is not None and "holiday" in calendar
        self.holiday = list(calendar).index("holiday") if on_holidays else None

    @property
    def closes(self) -> bool:
        """Whether some steps are known to be closed."""
        return bool(self.levels) or self.holiday is not None

    def forward(self, mean: Tensor, past: Tensor, known: Tensor | None, calendar: Tensor | None) -> dict[str, Tensor]:
        """Return ``mean`` ``[B, H, D]``, and ``closed`` ``[B, H]`` where steps may be so.

        Parameters
        ----------
        mean : Tensor ``[B, H, D]``
            In original units.
        past : Tensor ``[B, L, C]``
            Original values of the lookback.
        known, calendar : Tensor or None
            Of the horizon, original values.
        """
        if self.has_floor:
            window = past[..., : mean.shape[2]]
            never = (window.isnan() | (window >= 0)).all(dim=1, keepdim=True)
            mean = torch.where(never & self.floor & (mean < 0), 0.0, mean)
        if not self.closes:
            return {"mean": mean}
        closed = torch.zeros_like(mean[..., 0], dtype=torch.bool)
        for column, value in self.levels:
            assert known is not None
            closed = closed | (known[..., column] == value)
        if self.holiday is not None and calendar is not None:
            closed = closed | (calendar[..., self.holiday] > 0)
        return {"mean": torch.where(closed[..., None], 0.0, mean), "closed": closed}


def groups_of(distribution: Distribution, n_targets: int) -> Groups:
    """Return positions of targets, and their distribution, for all that one is made of."""
    everything = tuple(range(n_targets))
    return [(everything if at is None else tuple(at), own) for at, own in distribution.groups()]


def parameters_of(groups: Groups, unit: Tensor, zero: Tensor) -> dict[str, Tensor]:
    """Return parameters in original units by the names of the outputs: of several distributions, ``mu_1``, ``mu_2``.

    Parameters
    ----------
    groups : sequence of (positions, Distribution)
    unit, zero : Tensor ``[B, 1, D]``

    Returns
    -------
    dict
    """
    return {
        name: parameter.in_units(unit[..., list(at)], zero[..., list(at)])
        for name, at, parameter in _named(groups)
    }  # fmt: skip


def families_of(groups: Groups, targets: Sequence[str]) -> list[Json]:
    """Return what kind of distribution each target has, and which outputs hold its parameters.

    Parameters
    ----------
    groups : sequence of (positions, Distribution)
    targets : sequence of str

    Returns
    -------
    list of dict
    """
    found: list[Json] = []
    for k, (at, own) in enumerate(groups):
        parameters = {name: _output(name, k, len(groups)) for name in own.parameters()}
        levels = getattr(own, "levels", None)
        more: Json = {} if levels is None else {"levels": list(levels)}
        found.append({"family": own.family, "targets": [targets[j] for j in at], "parameters": parameters, **more})
    return found


def meanings_of(groups: Groups) -> dict[str, str]:
    """Return output -> what it means, for the parameters of some distributions."""
    return {name: parameter.meaning for name, _, parameter in _named(groups)}


def _named(groups: Groups) -> Iterator[tuple[str, Sequence[int], Parameter]]:
    for k, (at, own) in enumerate(groups):
        for name, parameter in own.parameters().items():
            yield _output(name, k, len(groups)), at, parameter


def _output(name: str, k: int, n: int) -> str:
    return name if n == 1 else f"{name}_{k + 1}"

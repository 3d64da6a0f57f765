"""What the generators share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from foretide.data.panel import Panel
from foretide.data.static import Names
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError, nearest
from foretide.typing import Floats, Ints

START = pd.Timestamp("2019-01-01")


class Truth(Protocol):
    """What is known about generated data beside the data."""

    def oracle(self, cutoffs: Any, h: int) -> Floats:
        """Return the exact conditional mean ``[n, h, D]`` of the targets, ``h`` steps from each of ``n`` cutoffs."""
        ...


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Generated data with its truth.

    Attributes
    ----------
    panel : Panel
        On an hourly or daily grid from 2019-01-01; one unnamed entity unless several sites were asked for.
    truth : HourlyTruth, PlantedTruth or SuppliesTruth
    """

    panel: Panel
    truth: Any

    def to_frame(self) -> Any:
        """Return the data as a frame: ``ds`` and one column per channel (and ``unique_id`` where there are several)."""
        return self.panel.to_frame()


def hourly_panel(values: Floats, names: Sequence[str], target: str | Sequence[str]) -> Panel:
    """Return one entity whose channels are targets or past columns; ``values`` is ``[T, C]`` in the order of names."""
    targets = (target,) if isinstance(target, str) else tuple(target)
    unknown = [t for t in targets if t not in names]
    if unknown or not targets:
        raise ConfigError(
            f"target names one or more channels out of {', '.join(names)}; got {target!r}. "
            + (nearest(unknown[0], names) if unknown else "")
        )
    past = tuple(name for name in names if name not in targets)
    order = [list(names).index(name) for name in targets + past]
    one = np.ones(1, dtype=np.int64)
    return Panel(
        grid=Grid(START, "h"),
        ids=("",),
        values=np.ascontiguousarray(values[:, order]),
        row0=0 * one,
        length=len(values) * one,
        first=0 * one,
        targets=targets,
        past=past,
        names=Names(time="ds"),
    )


def cutoff_steps(grid: Grid, cutoffs: Any, n_steps: int) -> Ints:
    """Return cutoffs, given as grid steps or as times, as grid steps ``[n]`` inside the generated part."""
    given = [cutoffs] if isinstance(cutoffs, (str, int, np.integer)) or not isinstance(cutoffs, Iterable) else cutoffs
    array = given if isinstance(given, np.ndarray) else np.array(list(given), dtype=object)
    if array.dtype.kind in "iu" or all(isinstance(c, (int, np.integer)) for c in array):
        steps = array.astype(np.int64)
    else:
        steps = np.array([grid.step_of(time) for time in array], dtype=np.int64)
    if steps.size and (steps.min() < 0 or steps.max() >= n_steps):
        raise ConfigError(f"Cutoffs lie within the {n_steps} generated steps; got {steps.min()} to {steps.max()}.")
    return steps


def count(name: str, value: int, least: int) -> int:
    """Return a whole number of at least ``least``, or say what was expected."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ConfigError(f"{name} is a whole number of at least {least}; got {value!r}.")
    return int(value)


def stream(seed: int, which: int) -> np.random.Generator:
    """Return the generator of one component, so that no component's numbers depend on whether another is used."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(which,)))

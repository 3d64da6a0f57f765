"""Windows of all targets of a panel, around one forecast or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.windows import truth_of
from foretide.forecasters.simple.analogue_pool import HALF_WAY, Pool, mixture
from foretide.forecasters.simple.analogue_states import States
from foretide.seeding import numpy_generator
from foretide.training.saved import arrays_of, facts_of, prefixed, restored, under

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Array, Bools, Floats, Ints, Json

    Quantiles = tuple[float, ...]

MOST_WINDOWS, MOST_NUMBERS = 50_000, 2_000_000
"""At most so many windows of single series, and numbers in all, are kept of each pool."""


@dataclass(frozen=True, eq=False)
class Pools:
    """Pools of a panel's windows, those of targets that are counts apart from those of others.

    Attributes
    ----------
    whole : bool array ``[D]``
        Targets that are counts.
    held : mapping
        ``<kind of targets>.<number of the centre>`` -> pool.
    """

    whole: Bools
    held: Mapping[str, Pool]

    @classmethod
    def learn(cls, panel: Panel, windows: Windows, centres: Sequence[Floats], shift: Floats, whole: Bools) -> Pools:
        """Keep windows of a panel, and what followed each, around each of several forecasts.

        Parameters
        ----------
        panel : Panel
            The part that may be learned from.
        windows : Windows
        centres : sequence of float arrays ``[W, H, D]``
            Forecasts of the windows.
        shift : float array ``[N, D]``
            Added to each series, so that none is below zero.
        whole : bool array ``[D]``

        Returns
        -------
        Pools
        """
        h, entity = centres[0].shape[1], windows.entity
        later, states = truth_of(panel, windows, h) + shift[entity][:, None], States.at(panel, windows, shift)
        later[windows.cutoff[:, None] + np.arange(1, h + 1) >= panel.observed[entity][:, None]] = np.nan
        above = [_above_zero(centre, shift[entity]) for centre in centres]
        held = {
            f"{kind}.{m}": Pool.of(_flat(centre, columns), states.flat(columns), _flat(later, columns), kind == "whole")
            for kind, columns in kinds(whole).items()
            for m, centre in enumerate(above)
        }
        return cls(whole, held)

    def answer(
        self, panel: Panel, windows: Windows, centres: Mapping[int, Floats], shift: Floats, k: int,
        quantiles: Quantiles, way: float = HALF_WAY,
    ) -> tuple[Floats, Floats]:  # fmt: skip
        """Return mean ``[W, H, D]`` and quantiles ``[W, H, D, Q]`` of what followed the most similar windows.

        Parameters
        ----------
        panel : Panel
            Rows after a cutoff are not read.
        windows : Windows
        centres : mapping
            Number of a centre, in the order of :meth:`learn` -> forecasts ``[W, H, D]``; each says equally much.
        shift : float array ``[N, D]``
            Of the panel's entities.
        k : int
            Windows looked at around each centre.
        quantiles : tuple of float
        way : float
            How far values are drawn towards their centre, from 0 to 1.

        Returns
        -------
        mean, quantiles : float arrays
        """
        own, states = shift[windows.entity], States.at(panel, windows, shift)
        w, h, d = next(iter(centres.values())).shape
        mean, bounds = np.empty((w, h, d)), np.empty((w, h, d, len(quantiles)))
        above = {m: _above_zero(centre, own) for m, centre in centres.items()}
        for kind, columns in kinds(self.whole).items():
            pools, around = [self.held[f"{kind}.{m}"] for m in above], [_flat(c, columns) for c in above.values()]
            found = mixture(pools, around, states.flat(columns), k, quantiles, way)
            mean[:, :, columns] = found[0].reshape(w, len(columns), h).swapaxes(1, 2)
            bounds[:, :, columns] = found[1].reshape(w, len(columns), h, -1).swapaxes(1, 2)
        return mean - own[:, None], bounds - own[:, None, :, None]

    # ---------------------------------------------------------------- saving
    def arrays(self) -> dict[str, Array]:
        """Everything that is an array."""
        found: dict[str, Array] = {"whole": self.whole}
        for name, pool in self.held.items():
            found |= prefixed(f"{name}.", arrays_of(pool))
        return found

    def facts(self) -> Json:
        """Everything that is no array, as JSON."""
        return {name: facts_of(pool) for name, pool in self.held.items()}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], facts: Json) -> Pools:
        """Rebuild from :meth:`arrays` and :meth:`facts`."""
        held = {name: restored(Pool, under(f"{name}.", arrays), facts[name]) for name in facts}
        return cls(np.asarray(arrays["whole"], dtype=bool), held)


def kinds(whole: Bools) -> dict[str, Ints]:
    """Positions of the targets that are counts, and of the others."""
    found = {"whole": np.flatnonzero(whole), "real": np.flatnonzero(~whole)}
    return {kind: columns for kind, columns in found.items() if len(columns)}


def room(h: int, targets: int) -> int:
    """How many windows may be kept of a panel with so many targets."""
    return max(1, min(MOST_WINDOWS, MOST_NUMBERS // (2 * h + 8)) // targets)


def some(n: int, most: int) -> Ints:
    """At most so many of ``n`` positions, at random, so that all season positions stay among them."""
    if n <= most:
        return np.arange(n)
    return np.sort(numpy_generator(0).choice(n, max(1, most), replace=False))


def _above_zero(centre: Floats, shift: Floats) -> Floats:
    return np.maximum(centre + shift[:, None], 0.0)


def _flat(values: Floats, columns: Ints) -> Floats:
    """``[W, H, D]`` -> ``[W D', H]``, windows outer."""
    return np.ascontiguousarray(values[:, :, columns].swapaxes(1, 2)).reshape(-1, values.shape[1])

"""Whether a part of LAVAR earns its place: its gain on validation windows, and the noise of that gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.special import stdtrit

from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.forecasters.lavar.features import Look

LARGEST_ERROR = 25.0
"""What one series may add in one stretch of time, in its own mean squared error in training."""
CONFIDENCE = 0.95
"""One-sided, that a gain exceeds the margin."""
LEAST_STRETCHES, LEAST_TO_PROVE = 1.5, 2.5
"""Stretches of time, by the share of the error in each, below which nothing is said: a step up or down that all series
share looks like a gain in each of them. With two, a gain that must be proved would have to be six times its noise."""
FIRST_LOOK, LEAST_EPOCHS, LOOKS = 200, 2, (5, 10, 20, 40)
"""Heads are looked at after so many steps, but between the second epoch and the fifth, and again after these epochs:
those that cannot reach their margin any more learn no further."""


@dataclass(frozen=True)
class Evidence:
    """What validation windows say of a part.

    Attributes
    ----------
    gain : float
        Share of the pooled, scaled squared error that goes with the part.
    noise : float
        Its standard error, over stretches of time and over series (Cameron, Gelbach & Miller 2011); never below that
        over either alone.
    stretches : float
        How many stretches of time, each a horizon long, hold the error; one that holds little counts little.
    """

    gain: float
    noise: float
    stretches: float

    @property
    def told(self) -> bool:
        """Whether there is enough time to speak against a part."""
        return self.stretches >= LEAST_STRETCHES

    @property
    def provable(self) -> bool:
        """Whether there is enough time to tell a gain from chance."""
        return self.stretches >= LEAST_TO_PROVE

    @property
    def bound(self) -> float:
        """What the gain exceeds with :data:`CONFIDENCE`; minus infinity where nothing can be proved."""
        if not self.provable:
            return -math.inf
        return self.gain - float(stdtrit(self.stretches - 1, CONFIDENCE)) * self.noise

    def speaks_for(self, given: bool) -> bool:
        """Whether a part stays without a margin.

        What stands on columns that were ``given`` is believed in until there is a loss beyond its noise; what stands on
        the targets' own history, only if there is a gain beyond chance.
        """
        return self.told and (self.gain > -self.noise if given else self.bound > 0)

    def hopeful(self, share: float, margin: float) -> bool:
        """Whether a gain after this share of the epochs may still reach a margin: learning slows down, if anything."""
        return self.bound > 0 and self.gain >= share * margin


@dataclass(frozen=True)
class Verdict:
    """What became of a part, and why.

    Attributes
    ----------
    part : str
        ``"known numbers"`` (effects of columns known ahead), ``"effects"`` (of the latent state), or ``"head"`` and its
        bucket.
    kept : bool
    why : str
    evidence : Evidence or None
        None: it was not tried.
    epochs : int
        How long it learned before this was said.
    seconds : float
        What it took.
    """

    part: str
    kept: bool
    why: str
    evidence: Evidence | None = None
    epochs: int = 0
    seconds: float = 0.0

    def row(self) -> dict[str, object]:
        """Return it as a row of a table; NaN where nothing was tried."""
        seen = self.evidence or Evidence(math.nan, math.nan, math.nan)
        return {
            "part": self.part, "kept": self.kept, "gain": seen.gain, "noise": seen.noise,
            "stretches": seen.stretches, "epochs": self.epochs, "seconds": self.seconds, "why": self.why,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Judge:
    """Validation windows, and how far a forecast of them errs.

    Attributes
    ----------
    truth : ``[W, H, D]``
    unit : ``[W, D]``
        Of each window's series: root mean squared error of the base in training.
    sums : sparse ``[N * B, W * H]``
        Adds up the steps of a series in each of ``B`` stretches of time.
    shape : (N, B)
    """

    truth: Floats
    unit: Floats
    sums: csr_array
    shape: tuple[int, int]

    @classmethod
    def of(cls, look: Look, unit: Floats) -> Judge:
        """Cut the time of validation windows into as many stretches as horizons fit in; ``unit`` ``[N, D]``."""
        truth, entity, n = look.truth(), look.windows.entity, look.panel.n_entities
        h = truth.shape[1]
        steps = (look.panel.first[entity] + look.windows.cutoff)[:, None] + np.arange(1, h + 1)
        block, stretches = cut(steps, h)
        rows = (entity[:, None] * stretches + block).ravel()
        sums = csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(n * stretches, len(rows)))
        return cls(truth, unit[entity], sums, (n, stretches))

    @property
    def told(self) -> bool:
        """Whether the windows hold enough time to tell a gain from chance."""
        return self.evidence(self.errors(np.zeros_like(self.truth)), self.errors(np.zeros_like(self.truth))).told

    def errors(self, forecast: Floats) -> Floats:
        """Mean squared error of each series in each stretch, ``[N, B, D]``, in its own units; NaN: nothing came."""
        return np.minimum(self._means(((forecast - self.truth) / self.unit[:, None, :]) ** 2), LARGEST_ERROR)

    def quantile_errors(self, quantiles: Floats, levels: Sequence[float]) -> Floats:
        """Mean quantile loss of each series in each stretch, ``[N, B, D]``, in its own units; NaN: no quantiles."""
        error, q = (self.truth[..., None] - quantiles) / self.unit[:, None, :, None], np.asarray(levels)
        return self._means(2 * np.maximum(q * error, (q - 1) * error).mean(axis=3))

    def _means(self, losses: Floats) -> Floats:
        flat = losses.reshape(-1, losses.shape[2])
        seen = ~np.isnan(flat)
        total, count = self.sums @ np.where(seen, flat, 0.0), self.sums @ seen.astype(np.float64)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(*self.shape, -1)

    def evidence(self, before: Floats, after: Floats, members: Bools | None = None) -> Evidence:
        """Compare errors ``[N, B, D]`` without and with a part, of some series ``[N, D]``."""
        if members is not None:
            before = np.where(members[:, None, :], before, np.nan)
        total = float(np.nansum(before))
        if not total > 0:
            return Evidence(0.0, 0.0, 0.0)
        gains = np.nan_to_num(before - after) / total
        by_time, by_series = gains.sum(axis=(0, 2)), gains.sum(axis=1).ravel()
        share = np.nansum(before, axis=(0, 2)) / total
        over_time, over_series, both = _spread(by_time), _spread(by_series), float(((gains - gains.mean()) ** 2).sum())
        variance = max(over_time, over_series, over_time + over_series - both)
        return Evidence(float(by_time.sum()), math.sqrt(variance), float(1 / (share**2).sum()))


def first_look(n: int, size: int, most: int | None) -> int:
    """Epochs before the first look at heads that learn from ``n`` windows, ``size`` a step, ``most`` steps an epoch.

    Examples
    --------
    >>> from foretide.forecasters.lavar.gates import first_look
    >>> first_look(900, 64, None), first_look(3000, 64, None), first_look(100_000, 64, 100)
    (5, 5, 2)
    """
    steps = -(-n // size) if most is None else min(most, -(-n // size))
    return min(max(LEAST_EPOCHS, -(-FIRST_LOOK // steps)), LOOKS[0])


def cut(steps: Ints, h: int) -> tuple[Ints, int]:
    """Return the stretch of time of each step, and how many there are: as many as horizons fit in, at least one.

    Examples
    --------
    >>> import numpy as np
    >>> from foretide.forecasters.lavar.gates import cut
    >>> cut(np.arange(10, 17), 3)
    (array([0, 0, 0, 0, 1, 1, 1]), 2)
    """
    if not steps.size:
        return np.zeros_like(steps), 1
    first, span = int(steps.min()), int(steps.max()) - int(steps.min()) + 1
    stretches = max(1, span // h)
    return (steps - first) * stretches // span, stretches


def _spread(parts: Floats) -> float:
    """Variance of a sum of independent parts."""
    n = len(parts)
    return float(n / (n - 1) * ((parts - parts.mean()) ** 2).sum()) if n > 1 else 0.0

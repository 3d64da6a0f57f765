"""Series driven by chosen lags, so that "which lags matter" has a right answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.synthetic.base import Cutoffs, Synthetic, check_size, count, cutoff_steps, hourly_panel, stream
from foretide.errors import ConfigError
from foretide.typing import Floats

if TYPE_CHECKING:
    from foretide.data.time.grid import Grid


@dataclass(frozen=True, eq=False)
class PlantedTruth:
    """What drives the series that :func:`planted_lags` makes.

    Attributes
    ----------
    lags : tuple of int
        Ascending.
    weights : tuple of float
        Of the lags, in their order.
    noise : float
        Standard deviation of what no model can know one step ahead.
    history : float array ``[P + T]``
        The target after ``P`` steps of burn-in, which the oracle needs for its first cutoffs.
    n_steps : int
        ``T``.
    grid : Grid

    Examples
    --------
    >>> import foretide as ft
    >>> ft.synthetic.planted_lags(T=100, lags=[48, 24], weights=[0.3, 0.6]).truth.lags
    (24, 48)
    """

    lags: tuple[int, ...]
    weights: tuple[float, ...]
    noise: float
    history: Floats
    n_steps: int
    grid: Grid

    def oracle(self, cutoffs: Cutoffs, h: int) -> Floats:
        """Return the exact conditional mean of the target, ``[n, h, 1]``, by recursion of expectations.

        Parameters
        ----------
        cutoffs : int or time, or a sequence of them
            Grid steps or times of the last observed step.
        h : int
            Steps ahead.

        Returns
        -------
        float array ``[n, h, 1]``

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.planted_lags(T=100, lags=[24], weights=[0.5])
        >>> y = data.panel.values[:, 0]
        >>> bool(data.truth.oracle(80, h=1)[0, 0, 0] == 0.5 * y[81 - 24])
        True
        """
        h = count("h", h, 1)
        now = cutoff_steps(self.grid, cutoffs, self.n_steps) + len(self.history) - self.n_steps
        mean = np.zeros((len(now), h))
        for k in range(1, h + 1):
            for lag, weight in zip(self.lags, self.weights, strict=True):
                mean[:, k - 1] += weight * (mean[:, k - lag - 1] if k > lag else self.history[now + k - lag])
        return mean[..., None]


def planted_lags(
    T: int = 2000,
    lags: Sequence[int] = (24, 48),
    weights: Sequence[float] = (0.6, 0.3),
    noise: float = 1.0,
    seed: int = 0,
    *,
    n_noise: int = 2,
) -> Synthetic[PlantedTruth]:
    """Generate ``y_t = sum_k weight_k * y_{t - lag_k} + noise * w_t``, ``w ~ N(0, 1)``, on an hourly grid.

    The series starts from zeros and burns in for at least 500 steps and 50 times the longest lag. Without lags
    it is white noise.

    Parameters
    ----------
    T : int
        Steps kept.
    lags : sequence of int
        Lags that drive the target, each at least 1, no two the same.
    weights : sequence of float
        One per lag; the sum of their absolute values is below 1, which makes the series stable.
    noise : float
        Standard deviation of the noise, at least 0.
    seed : int
    n_noise : int
        Further columns ``noise1 ..`` of standard normal noise, in the role past.

    Returns
    -------
    Synthetic
        ``.panel`` with the target ``y``, and ``.truth`` (:class:`PlantedTruth`).

    Examples
    --------
    >>> import foretide as ft
    >>> ft.synthetic.planted_lags(T=100, lags=[24], weights=[0.8]).panel
    Panel(1 entities x 1 targets, 2 past; 100 rows, every h, 2019-01-01 00:00:00 to 2019-01-05 03:00:00)
    """
    T, n_noise, seed = count("T", T, 1), count("n_noise", n_noise, 0), count("seed", seed, 0)
    check_size(T, n_noise + 1)
    lags, weights = _checked(lags, weights)
    if not np.isfinite(noise) or noise < 0:
        raise ConfigError(f"noise is a standard deviation of at least 0; got {noise!r}.")
    longest = max(lags, default=0)
    burn = max(500, 50 * longest)
    shocks = noise * np.concatenate([stream(seed, 0).standard_normal(burn), stream(seed, 1).standard_normal(T)])
    y = _driven(shocks, lags, weights)
    others = stream(seed, 2).standard_normal((T, n_noise))
    names = ("y", *(f"noise{k + 1}" for k in range(n_noise)))
    panel = hourly_panel(np.column_stack([y[burn:], others]), names, "y")
    truth = PlantedTruth(lags, weights, float(noise), y[burn - longest :], T, panel.grid)
    return Synthetic(panel, truth)


def _checked(lags: Sequence[int], weights: Sequence[float]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return lags and weights, ascending by lag."""
    if len(lags) != len(weights):
        raise ConfigError(f"Every lag has one weight; got {len(lags)} lags and {len(weights)} weights.")
    whole = [count("Every lag", lag, 1) for lag in lags]
    if len(set(whole)) < len(whole):
        raise ConfigError(f"Every lag is named once; got {tuple(lags)}. Add up the weights of equal lags.")
    total = float(np.sum(np.abs(weights)))
    if not total < 1:
        raise ConfigError(f"The absolute weights must add up to less than 1, or the series grows; they give {total:g}.")
    pairs = sorted(zip(whole, (float(w) for w in weights), strict=True))
    return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)


def _driven(shocks: Floats, lags: tuple[int, ...], weights: tuple[float, ...]) -> Floats:
    """Run the recursion from zeros; blocks as long as the shortest lag do not depend on themselves."""
    if not lags:
        return shocks
    pad = lags[-1]
    y = np.concatenate([np.zeros(pad), shocks])
    for start in range(pad, len(y), lags[0]):
        end = min(start + lags[0], len(y))
        for lag, weight in zip(lags, weights, strict=True):
            y[start:end] += weight * y[start - lag : end - lag]
    return y[pad:]

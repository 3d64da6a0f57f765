"""What is known behind generated supplies: the distribution of every count, and the best forecast there can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from foretide.data.synthetic.base import Cutoffs, count, cutoff_steps
from foretide.data.time.calendar import Calendar
from foretide.data.time.events import beside_marked
from foretide.data.time.grid import Steps
from foretide.errors import ConfigError
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.data.time.grid import Grid


WIDEST = 5.5
"""Standard deviations of the log-rate that the rule over it spans."""
CHUNK = 20_000
SMALLEST = -650.0
"""Below this log-probability of zero the sum over single counts would start from nothing."""
SUNDAY = 6
Site: TypeAlias = str | int | Sequence[str | int]
"""Name or position of a site, or one for each cutoff."""


@dataclass(frozen=True, eq=False)
class SuppliesTruth:
    """Everything behind the series that :func:`supplies` makes, with ``N`` sites, ``K`` latents, ``D`` targets.

    Given its state, a count is zero with probability ``zero_probability`` and otherwise negative binomial with mean
    ``exp(loadings @ latent + level) * base * calendar`` and variance ``mean + mean^2 / dispersion``.

    Attributes
    ----------
    history : float array ``[N, P + T, K]``
        Latent path after ``P`` earlier steps, which the oracle needs for its first cutoffs.
    level : float array ``[N, T, D]``
        Logarithm of the slowly moving level, substitutions included.
    matrices : float array ``[P, K, K]``
        The VAR; the first multiplies the newest step.
    shock : float array ``[K, K]``
        Covariance of the latent shocks.
    loadings : float array ``[D, K]``
    base : float array ``[N, D]``
        Mean rate of an average day.
    weekday : float array ``[D, 7]``
        Factors, Monday first, with mean one.
    holiday, after, before : float arrays ``[D]``
        Factors of a holiday, of the first day after it that is neither holiday nor Sunday, of the last such before it.
    level_sd : float
        Standard deviation of a day's step of ``level``.
    dispersion, zero_probability : float arrays ``[D]``
    covariates : dict of float arrays
        Of the image ``x = tanh(z @ inner + bias) @ outer + z @ linear + noise``.
    country : str, tuple of two str, or None
        Whose public holidays are kept.
    sites, targets : tuples of str
    grid : Grid

    Examples
    --------
    >>> import foretide as ft
    >>> truth = ft.synthetic.supplies(T=60, n_targets=3).truth
    >>> truth.latent.shape, truth.rates.shape
    ((1, 60, 4), (1, 60, 3))
    """

    history: Floats
    level: Floats
    matrices: Floats
    shock: Floats
    loadings: Floats
    base: Floats
    weekday: Floats
    holiday: Floats
    after: Floats
    before: Floats
    level_sd: float
    dispersion: Floats
    zero_probability: Floats
    covariates: dict[str, Floats]
    country: str | tuple[str, str] | None
    sites: tuple[str, ...]
    targets: tuple[str, ...]
    grid: Grid

    @property
    def latent(self) -> Floats:
        """Latent path, ``[N, T, K]``."""
        return self.history[:, len(self.matrices) :]

    @cached_property
    def intensity(self) -> Floats:
        """Mean of the negative binomial given the state, ``[N, T, D]``."""
        fixed = self.base[:, None, :] * self.calendar(np.arange(self.level.shape[1]))
        return np.asarray(fixed * np.exp(self.latent @ self.loadings.T + self.level))

    @property
    def rates(self) -> Floats:
        """Mean of the counts given the state, ``[N, T, D]``."""
        return np.asarray((1 - self.zero_probability) * self.intensity)

    @cached_property
    def companion(self) -> Floats:
        """Companion matrix of the VAR, ``[P K, P K]``; all its eigenvalues lie inside the unit circle."""
        return companion(self.matrices)

    def calendar(self, steps: Steps) -> Floats:
        """Return the factors of weekday and holidays.

        Parameters
        ----------
        steps : int array ``[n]``
            Grid steps, in the data or not.

        Returns
        -------
        float array ``[n, D]``

        Examples
        --------
        >>> import foretide as ft
        >>> factors = ft.synthetic.supplies(T=30, n_targets=3, country=None).truth.calendar(range(7))
        >>> factors.mean(axis=0).round(9).tolist()
        [1.0, 1.0, 1.0]
        """
        steps = np.asarray(steps, dtype=np.int64)
        day = np.asarray(self.grid.times(steps).to_numpy().astype("datetime64[D]").astype(np.int64))
        free, after, before = day_kinds(self.grid, steps, self.country)
        factor = np.where(after[:, None], self.after, 1.0) * np.where(before[:, None], self.before, 1.0)
        return np.asarray(self.weekday.T[(day + 3) % 7] * np.where(free[:, None], self.holiday, factor))

    # ---------------------------------------------------------------- the best forecast
    def oracle(self, cutoffs: Cutoffs, h: int, site: Site | None = None) -> Floats:
        """Return the exact conditional mean given the latent path and the level up to the cutoff.

        The log-rate ``k`` steps ahead is Gaussian, so that its exponential has mean ``exp(mean + variance / 2)``.
        Substitutions still to come are not expected.

        Parameters
        ----------
        cutoffs : int or time, or a sequence of them
            Grid steps or times of the last observed step, ``n`` of them.
        h : int
            Steps ahead.
        site : str or int, or a sequence of ``n`` of them, optional
            Name or position of the site, one for all cutoffs or one for each. None: every cutoff at every site, site
            by site, in the order of a forecast's windows.

        Returns
        -------
        float array ``[n, h, D]`` (``[N n, h, D]`` for all of several sites)

        Examples
        --------
        >>> import foretide as ft
        >>> truth = ft.synthetic.supplies(T=60, n_targets=3, n_sites=2).truth
        >>> truth.oracle(50, h=7).shape, truth.oracle(50, h=7, site="site1").shape
        ((2, 7, 3), (1, 7, 3))
        """
        mean, variance, fixed = self._ahead(cutoffs, h, site)
        return np.asarray((1 - self.zero_probability) * fixed * np.exp(mean + variance / 2))

    def oracle_quantiles(self, cutoffs: Cutoffs, h: int, levels: Sequence[float], site: Site | None = None) -> Floats:
        """Return quantiles of the true predictive distribution.

        The distribution of the counts is mixed over the Gaussian log-rate; the quantile is the smallest count whose
        probability not to be exceeded reaches the level.

        Parameters
        ----------
        cutoffs, h, site
            As in :meth:`oracle`.
        levels : sequence of float
            Fractions.

        Returns
        -------
        float array ``[n, h, D, Q]``
            Whole numbers.

        Raises
        ------
        ConfigError
            For levels that are no fractions.

        Examples
        --------
        >>> import foretide as ft
        >>> truth = ft.synthetic.supplies(T=60, n_targets=3).truth
        >>> truth.oracle_quantiles(50, h=7, levels=(0.1, 0.9)).shape
        (1, 7, 3, 2)
        """
        wanted = np.asarray(levels, dtype=np.float64)
        if wanted.ndim != 1 or not ((wanted > 0) & (wanted < 1)).all():
            raise ConfigError(f"levels are fractions between 0 and 1, e.g. (0.1, 0.5, 0.9); got {levels!r}.")
        mean, variance, fixed = self._ahead(cutoffs, h, site)
        sd = np.broadcast_to(np.sqrt(variance), mean.shape)
        theta = np.broadcast_to(self.dispersion, mean.shape).ravel()
        zero = np.broadcast_to(self.zero_probability, mean.shape).ravel()
        scale, spread = (fixed * np.exp(mean)).ravel(), sd.ravel()
        found = mixed_quantiles(wanted, scale, spread, theta, zero)
        return found.reshape(*mean.shape, len(wanted))

    def _ahead(self, cutoffs: Cutoffs, h: int, site: Site | None) -> tuple[Floats, Floats, Floats]:
        """Return mean ``[n, h, D]`` and variance ``[h, D]`` of the log-rate, and its fixed factor ``[n, h, D]``."""
        h = count("h", h, 1)
        steps, place = self._origins(cutoffs, site)
        order, k = self.matrices.shape[:2]
        back = steps[:, None] + order - np.arange(order)  # row of the newest latent first
        state = self.history[place[:, None], back].reshape(len(steps), order * k)
        means, covariance, power = np.empty((len(steps), h, k)), np.zeros((k, k)), np.eye(order * k)
        variance = np.empty((h, len(self.targets)))
        for ahead in range(h):
            effect = power[:k, :k]
            covariance = covariance + effect @ self.shock @ effect.T
            power = self.companion @ power
            means[:, ahead] = state @ power[:k].T
            variance[ahead] = np.einsum("dk,kl,dl->d", self.loadings, covariance, self.loadings)
        variance += self.level_sd**2 * np.arange(1, h + 1)[:, None]
        mean = means @ self.loadings.T + self.level[place, steps][:, None, :]
        days = steps[:, None] + np.arange(1, h + 1)
        fixed = self.base[place][:, None, :] * self.calendar(days.ravel()).reshape(*days.shape, -1)
        return mean, variance, fixed

    def _origins(self, cutoffs: Cutoffs, site: Site | None) -> tuple[Ints, Ints]:
        """Return step and site of every origin, each ``[n]``."""
        steps = cutoff_steps(self.grid, cutoffs, self.level.shape[1])
        if site is None:
            return np.tile(steps, len(self.sites)), np.repeat(np.arange(len(self.sites)), len(steps))
        given = [site] if isinstance(site, (str, int, np.integer)) else list(site)
        place = np.array([self._site(one) for one in given], dtype=np.int64)
        if len(place) not in (1, len(steps)):
            raise ConfigError(f"site is one site, or one for each of the {len(steps)} cutoffs; got {len(place)}.")
        return steps, np.broadcast_to(place, steps.shape)

    def _site(self, site: str | int) -> int:
        if isinstance(site, str) and site in self.sites:
            return self.sites.index(site)
        if not isinstance(site, str) and 0 <= int(site) < len(self.sites):
            return int(site)
        raise ConfigError(f"site is one of {list(self.sites)} or its position; got {site!r}.")


def companion(matrices: Floats) -> Floats:
    """Return the companion matrix of a VAR whose first matrix multiplies the newest step.

    Parameters
    ----------
    matrices : float array ``[P, K, K]``

    Returns
    -------
    float array ``[P K, P K]``
    """
    order, k = matrices.shape[:2]
    whole = np.zeros((order * k, order * k))
    whole[:k] = np.moveaxis(matrices, 0, 1).reshape(k, order * k)
    whole[k:, :-k] = np.eye((order - 1) * k)
    return whole


def day_kinds(grid: Grid, steps: Ints, country: str | tuple[str, str] | None) -> tuple[Bools, Bools, Bools]:
    """Say of each day whether it is a holiday, the first working day after one, the last before one.

    A working day is neither a holiday nor a Sunday. A day can be both: the Saturday between Good Friday and Easter
    Monday.

    Parameters
    ----------
    grid : Grid
    steps : int array ``[n]``
    country : str, tuple of two str, or None

    Returns
    -------
    holiday, after, before : bool arrays ``[n]``
    """
    none = np.zeros(len(steps), dtype=bool)
    if country is None or not len(steps):
        return none, none, none
    pad, low = 10, int(steps.min())  # no run of holidays and Sundays is longer
    every = np.arange(low - pad, int(steps.max()) + pad + 1)
    free = Calendar((), country).values(grid, every)[:, 0] > 0
    day = grid.times(every).to_numpy().astype("datetime64[D]").astype(np.int64)
    after, before = (beside_marked(day, free[None], side, (SUNDAY,))[0] for side in (-1, 1))
    rows = steps - low + pad
    return free[rows], after[rows], before[rows]


def mixed_quantiles(levels: Floats, scale: Floats, spread: Floats, dispersion: Floats, zero: Floats) -> Floats:
    """Return quantiles of (zero-inflated) negative binomial counts with a lognormal mean.

    The mean is ``scale * exp(spread * g)`` with ``g ~ N(0, 1)``. The distribution is mixed by the trapezoid rule over
    ``g``, with a step below the counts' own standard deviation in units of the spread.

    Parameters
    ----------
    levels : float array ``[Q]``
    scale, spread, dispersion, zero : float arrays ``[n]``

    Returns
    -------
    float array ``[n, Q]``
    """
    quantiles = np.empty((len(scale), len(levels)))
    high = scale * np.exp(1.5 * spread)
    own = np.sqrt(high + high**2 / dispersion) / np.maximum(spread * high, 1e-300)
    needed = np.ceil(np.log2(2 * WIDEST / np.clip(own, 2.0**-8, 0.5))).astype(np.int64)
    for power in np.unique(needed):
        points = np.linspace(-WIDEST, WIDEST, 2**power)
        weights = np.exp(-(points**2) / 2)
        weights /= weights.sum()
        rows = np.flatnonzero(needed == power)
        for start in range(0, len(rows), part := CHUNK * 32 // 2**power + 1):
            some = rows[start : start + part]
            means = scale[some, None] * np.exp(spread[some, None] * points)
            quantiles[some] = _quantiles(levels, weights, means, dispersion[some], zero[some])
    return quantiles


def _quantiles(levels: Floats, weights: Floats, means: Floats, dispersion: Floats, zero: Floats) -> Floats:
    """Return quantiles ``[n, Q]`` of a mixture over means ``[n, J]``, count by count from zero up."""
    theta = dispersion[:, None]
    log_zero = -theta * np.log1p(means / theta)
    quantiles = np.zeros((len(means), len(levels)))
    large = log_zero.min(axis=1) < SMALLEST
    if large.any():
        quantiles[large] = _bisected(levels, weights, means[large], dispersion[large], zero[large])
    rows = np.flatnonzero(~large)
    pmf, ratio = np.exp(log_zero[rows]) * weights, means[rows] / (means[rows] + theta[rows])
    cdf, k = zero[rows] + (1 - zero[rows]) * pmf.sum(axis=1), 0
    while rows.size:
        open_ = cdf[:, None] < levels  # a level not reached yet lies at least one higher
        quantiles[rows] += open_
        keep = open_.any(axis=1)
        if not keep.all():
            rows, pmf, ratio, cdf = rows[keep], pmf[keep], ratio[keep], cdf[keep]
        pmf = pmf * ratio * ((k + dispersion[rows]) / (k + 1))[:, None]
        cdf, k = cdf + (1 - zero[rows]) * pmf.sum(axis=1), k + 1
    return quantiles


def _bisected(levels: Floats, weights: Floats, means: Floats, dispersion: Floats, zero: Floats) -> Floats:
    """Return quantiles ``[n, Q]`` of a mixture over means ``[n, J]`` by halving."""
    from scipy.special import betainc

    theta = dispersion[:, None]
    share = theta / (theta + means)

    def cdf(k: Floats) -> Floats:
        below = betainc(theta, np.maximum(k[:, None], 0) + 1.0, share)
        return np.where(k < 0, 0.0, zero + (1 - zero) * (below @ weights))

    quantiles = np.empty((len(means), len(levels)))
    for j, level in enumerate(levels):
        low, high = np.full(len(means), -1.0), np.ceil(means.max(axis=1)) + 1.0
        while (short := cdf(high) < level).any():
            high = np.where(short, 2 * high, high)
        while (high - low > 1).any():
            middle = np.floor((low + high) / 2)
            reached = cdf(middle) >= level
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        quantiles[:, j] = high
    return quantiles

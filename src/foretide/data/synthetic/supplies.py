"""The supplies generator: many sparse counts driven by a latent VAR and by the calendar, with known truth."""

from __future__ import annotations

import numpy as np

from foretide.data.panel import Panel
from foretide.data.synthetic.base import START, Synthetic, check_size, count, stream
from foretide.data.synthetic.supplies_truth import SuppliesTruth, companion, day_kinds
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError
from foretide.typing import Floats, Ints

WEEK = 7
BURN_IN = 600
RADIUS = 0.97
DENSE_RATES, SPARSE_RATES = (60.0, 8.0), (2.5, 0.0015)
"""Mean counts a day of the densest quarter of the targets, and of the others."""
LEVEL_SD = 0.006
NOISE_SD = 0.3
HIDDEN = 24
YEAR = 365.25
REPLACED = 0.03
"""Share of its rate that a replaced target keeps."""


def supplies(
    T: int = 1095, n_targets: int = 48, n_covariates: int = 35, seed: int = 0, *, latent: int = 4, order: int = 2,
    effect: float = 0.25, n_sites: int = 1, substitutions: float = 0.0,
    country: str | tuple[str, str] | None = ("DE", "BY"), ahead: int = 0,
) -> Synthetic[SuppliesTruth]:  # fmt: skip
    """Generate daily counts of many supplies, most of them sparse, together with their truth.

    - latent state: a stable VAR, ``z_t = sum_{i <= order} A_i z_{t-i} + A_7 z_{t-7} + e_t``, spectral radius 0.97,
      every component of variance one. The first matrices hold slowly decaying modes, ``A_7`` a weekly one.
    - covariates: ``x_t = tanh(z_t inner + bias) outer + z_t linear + 0.3 noise``.
    - rates: ``base * weekday * holidays * exp(loadings z_t + level_t)``. The base of the densest quarter
      spreads evenly in its logarithm from 60 to 8 a day, that of the others from 2.5 a day to one in two years. The
      weekday pattern is high on Monday and low on Saturday; on Sundays most targets are exactly zero, but not one in
      two of the densest quarter and one in eight of the others. On a public holiday the rate falls to 0 to 0.3, on
      the first working day after it rises to about 1.8, on the last before it falls to about 0.56 (all milder
      where Sundays are open). The level is a random walk in logarithms, 0.006 a day.
    - counts: negative binomial with a variance of 1.1 to 2.2 times the mean at the base rate; one in five of the sparse
      targets has zero inflation on top.
    - substitutions: one target falls to 0.03 of its rate for good and another takes the rest over.

    Every component draws from a stream of its own, and a longer series begins with the shorter one. Source:
    specification of LAVAR, section 7.

    Parameters
    ----------
    T : int
        Days, at least 1; the first is 2019-01-01.
    n_targets, n_covariates : int
        Columns ``item01 ..`` (at least 2) and ``cov01 ..`` (at least 0, in the role past).
    seed : int
    latent, order : int
        Size of the latent state and lags of the VAR besides the weekly one (at most 6).
    effect : float
        About the standard deviation of the log-rate that the latent state causes, 0.5 to 1.5 times over targets.
    n_sites : int
        Above one: entities ``site1 ..``, which share all parameters but the base; latent paths are their own.
    substitutions : float
        How many are expected per year and site. The oracle does not foresee them.
    country : str, tuple of two str, or None
        Whose public holidays are kept, as in ``"DE"`` or ``("AU", "VIC")``; None: no holidays.
    ahead : int
        Further days at the end of which the known-future column ``holiday`` alone is known.

    Returns
    -------
    Synthetic
        ``.panel`` and ``.truth`` (:class:`SuppliesTruth`).

    Examples
    --------
    >>> import foretide as ft
    >>> ft.synthetic.supplies(T=90, n_targets=6, n_covariates=2).panel
    Panel(1 entities x 6 targets, 2 past, 1 future; 90 rows, every D, 2019-01-01 00:00:00 to 2019-03-31 00:00:00)
    """
    sizes = _sizes(T=T, n_targets=n_targets, n_covariates=n_covariates, latent=latent, order=order, n_sites=n_sites)
    return _generate(sizes, count("seed", seed, 0), {"effect": effect, "substitutions": substitutions}, country, ahead)


def _sizes(**given: int) -> dict[str, int]:
    least = {"n_targets": 2, "n_covariates": 0}
    return {name: count(name, value, least.get(name, 1)) for name, value in given.items()}


def _generate(
    sizes: dict[str, int], seed: int, strengths: dict[str, float], country: str | tuple[str, str] | None, ahead: int
) -> Synthetic[SuppliesTruth]:
    T, d, c, k, order, n = sizes.values()
    check_size(T, d + c + k, n)
    if order >= WEEK:
        raise ConfigError(f"order is at most {WEEK - 1}, since a lag of {WEEK} days comes on top; got {order}.")
    for name, strength in strengths.items():
        if not np.isfinite(strength) or strength < 0:
            raise ConfigError(f"{name} is a number of at least 0; got {strength!r}.")
    matrices, shock = _dynamics(k, order, seed)
    base, rank = _bases(n, d, seed)
    covariates = _covariate_map(k, c, seed)
    history = _paths(matrices, shock, n, T, seed)
    sites = ("",) if n == 1 else tuple(f"site{i + 1}" for i in range(n))
    targets = _names("item", d)
    level = _levels(base, n, T, strengths["substitutions"], seed)
    truth = SuppliesTruth(
        history, level, matrices, shock, _loadings(d, k, strengths["effect"], seed), base,
        **_target_parameters(base[0], rank, seed), level_sd=LEVEL_SD, covariates=covariates, country=country,
        sites=sites, targets=targets, grid=Grid(START, "D"),
    )  # fmt: skip
    observed = _image(truth.latent, covariates, seed)
    return Synthetic(_panel(truth, _draw(truth, seed), observed, T, count("ahead", ahead, 0)), truth)


def _names(stem: str, n: int) -> tuple[str, ...]:
    width = max(2, len(str(n)))
    return tuple(f"{stem}{i + 1:0{width}d}" for i in range(n))


def _dynamics(k: int, order: int, seed: int) -> tuple[Floats, Floats]:
    """Return the matrices ``[7, K, K]`` of a stable VAR and the covariance of its shocks, for unit variances."""
    from scipy.linalg import solve_discrete_lyapunov

    rng = stream(seed, 0)
    matrices = np.zeros((WEEK, k, k))
    matrices[0] = np.diag(rng.uniform(0.75, 0.9, size=k)) + 0.06 * rng.standard_normal((k, k))
    for lag in range(1, order):
        matrices[lag] = 0.08 / lag * rng.standard_normal((k, k))
    matrices[-1] = np.diag(rng.uniform(0.05, 0.12, size=k))
    radius = np.abs(np.linalg.eigvals(companion(matrices))).max()
    matrices *= ((RADIUS / radius) ** np.arange(1, WEEK + 1))[:, None, None]
    whole = companion(matrices)
    unit = np.zeros_like(whole)
    unit[:k, :k] = np.eye(k)
    sd = np.sqrt(np.diag(solve_discrete_lyapunov(whole, unit))[:k])
    return matrices * (sd[None, None, :] / sd[None, :, None]), np.diag(1 / sd**2)


def _paths(matrices: Floats, shock: Floats, n: int, n_steps: int, seed: int) -> Floats:
    """Return latent paths ``[N, 7 + T, K]``, every site from a stream of its own."""
    k = len(shock)
    paths = np.empty((n, WEEK + n_steps, k))
    root = np.linalg.cholesky(shock)
    newest_last = np.moveaxis(matrices[::-1], 0, 1).reshape(k, WEEK * k)
    for site in range(n):
        draws = stream(seed, 1000 + site).standard_normal((BURN_IN + n_steps, k)) @ root.T
        path = np.zeros((WEEK + len(draws), k))
        for t, e in enumerate(draws, start=WEEK):
            path[t] = newest_last @ path[t - WEEK : t].ravel() + e
        paths[site] = path[BURN_IN:]
    return paths


def _bases(n: int, d: int, seed: int) -> tuple[Floats, Ints]:
    """Return the mean rates ``[N, D]``, and each target's rank by density (0: the densest)."""
    rng = stream(seed, 2)
    rank = np.asarray(rng.permutation(d), dtype=np.int64)
    dense = max(1, d // 4)
    common = np.concatenate([np.geomspace(*DENSE_RATES, dense), np.geomspace(*SPARSE_RATES, d - dense)])[rank]
    base = np.tile(common, (n, 1))
    for site in range(1, n):  # the first site keeps the whole spread
        own = stream(seed, 2000 + site)
        base[site] *= np.exp(own.normal(0, 0.4) + own.normal(0, 0.5, size=d))
    return base, rank


def _loadings(d: int, k: int, effect: float, seed: int) -> Floats:
    """Return loadings ``[D, K]``; targets feel the latent state differently strongly."""
    rng = stream(seed, 3)
    direction = rng.standard_normal((d, k))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.asarray(effect * rng.uniform(0.5, 1.5, size=(d, 1)) * direction)


def _target_parameters(base: Floats, rank: Ints, seed: int) -> dict[str, Floats]:
    rng, d = stream(seed, 4), len(base)
    sunday_open = (rank % 8 == 0) | ((rank < d // 4) & (rank % 2 == 0))
    week = np.array([2.0, 1.05, 1.15, 0.95, 1.3, 0.5, 0.0]) * np.exp(0.15 * rng.standard_normal((d, WEEK)))
    week[sunday_open, 1:] = np.array([1.1, 1.15, 1.0, 1.2, 0.8, 0.7]) * np.exp(
        0.1 * rng.standard_normal((int(sunday_open.sum()), WEEK - 1))
    )
    week[sunday_open, 0] = 1.4
    index = rng.uniform(1.1, 2.2, size=d)
    inflated = (rng.uniform(size=d) < 0.2) & (base < 1)
    closed = rng.uniform(size=d) < 0.25
    regular = {
        "holiday": np.where(closed, 0.0, rng.uniform(0.05, 0.3, size=d)),
        "after": 1.8 * np.exp(0.1 * rng.standard_normal(d)),
        "before": 0.56 * np.exp(0.1 * rng.standard_normal(d)),
    }
    mild = {"holiday": 0.6, "after": 1.25, "before": 0.85}
    return {
        **{name: np.where(sunday_open, mild[name], factor) for name, factor in regular.items()},
        "weekday": week / week.mean(axis=1, keepdims=True),
        "dispersion": base / (index - 1),
        "zero_probability": np.where(inflated, rng.uniform(0.2, 0.6, size=d), 0.0),
    }


def _levels(base: Floats, n: int, n_steps: int, substitutions: float, seed: int) -> Floats:
    """Return the logarithm of the level, ``[N, T, D]``: a random walk from zero, and what was substituted."""
    d = base.shape[1]
    level = np.empty((n, n_steps, d))
    for site in range(n):
        moves = LEVEL_SD * stream(seed, 3000 + site).standard_normal((n_steps, d))
        rng = stream(seed, 4000 + site)
        happens = rng.uniform(size=n_steps) < substitutions / YEAR
        pairs = np.argsort(rng.uniform(size=(n_steps, d)), axis=1)[:, :2]
        rate = base[site].copy()
        for t in np.flatnonzero(happens):
            old, new = pairs[t]
            taken = (1 - REPLACED) * rate[old]
            moves[t, old] += np.log(REPLACED)
            moves[t, new] += np.log1p(taken / rate[new])
            rate[old], rate[new] = rate[old] - taken, rate[new] + taken
        level[site] = np.cumsum(moves, axis=0)
    return level


def _covariate_map(k: int, c: int, seed: int) -> dict[str, Floats]:
    rng = stream(seed, 5)
    return {
        "inner": rng.standard_normal((k, HIDDEN)),
        "bias": rng.standard_normal(HIDDEN),
        "outer": rng.standard_normal((HIDDEN, c)) / np.sqrt(HIDDEN),
        "linear": 0.5 * rng.standard_normal((k, c)) / np.sqrt(k),
        "noise": np.full(c, NOISE_SD),
    }


def _image(latent: Floats, by: dict[str, Floats], seed: int) -> Floats:
    """Return the covariates of a latent path, ``[N, T, C]``."""
    clean = np.tanh(latent @ by["inner"] + by["bias"]) @ by["outer"] + latent @ by["linear"]
    noise = [stream(seed, 5000 + site).standard_normal(clean.shape[1:]) for site in range(len(latent))]
    return np.asarray(clean + by["noise"] * np.stack(noise))


def _draw(truth: SuppliesTruth, seed: int) -> Floats:
    """Return counts ``[N, T, D]``: Poisson with a gamma rate, zero where the inflation strikes."""
    counts = np.empty_like(truth.intensity)
    for site, mean in enumerate(truth.intensity):
        theta = np.broadcast_to(truth.dispersion, mean.shape)
        gamma = stream(seed, 6000 + site).standard_gamma(theta)
        drawn = stream(seed, 7000 + site).poisson(gamma * mean / theta)
        silent = stream(seed, 8000 + site).uniform(size=mean.shape) < truth.zero_probability
        counts[site] = np.where(silent, 0, drawn)
    return counts


def _panel(truth: SuppliesTruth, counts: Floats, observed: Floats, n_steps: int, ahead: int) -> Panel:
    n, d, c = len(counts), counts.shape[-1], observed.shape[-1]
    rows = n_steps + ahead
    values = np.full((n, rows, d + c + 1), np.nan)
    values[:, :n_steps, :d], values[:, :n_steps, d : d + c] = counts, observed
    values[..., -1] = day_kinds(truth.grid, np.arange(rows), truth.country)[0]
    row0, length, none = rows * np.arange(n, dtype=np.int64), np.full(n, rows, dtype=np.int64), np.zeros(n, np.int64)
    past = _names("cov", c) if c else ()
    table = values.reshape(n * rows, -1)
    return Panel(truth.grid, truth.sites, table, row0, length, none, truth.targets, past, ("holiday",))

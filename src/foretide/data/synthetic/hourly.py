"""The hourly generator: seasons, noise and events of which every part is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.synthetic.base import Cutoffs, Synthetic, check_size, count, cutoff_steps, hourly_panel, stream
from foretide.errors import ConfigError
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.data.time.grid import Grid

RHO = 0.7
NOISE_SD = 0.5
EVENT_PROBABILITY = 0.002
EVENT_HIGH = 5.0
EVENT_SHARE = 0.5
SHIFT_PROBABILITY = 0.001
ACTIVITY_DECAY = 0.9
WIDENING = 2.0
COUPLING_WEIGHT = 0.5
COUPLING_LAG = 3


@dataclass(frozen=True, eq=False)
class HourlyTruth:
    """Everything behind the series that :func:`hourly` makes.

    Attributes
    ----------
    components : dict of float arrays ``[T, n]``
        ``trend``, ``daily``, ``weekly``, ``fortnightly``, ``level``, ``noise``, ``events``, ``shifts``, ``coupling``;
        their sum is the data.
    channels : tuple of str
        Names along the last axis of the components.
    targets : tuple of str
        Channels the oracle forecasts.
    event_mask : bool array ``[T]``
    change_points : int array
        Steps at which the level shifts.
    trend_factor : float array ``[n]``
        The factor drawn per channel.
    coupling_weight : float
        Weight of the lagged driver in the driven channels.
    grid : Grid

    Examples
    --------
    >>> import foretide as ft
    >>> sorted(ft.synthetic.hourly(T=48).truth.components)[:4]
    ['coupling', 'daily', 'events', 'fortnightly']
    """

    components: dict[str, Floats]
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    event_mask: Bools
    change_points: Ints
    trend_factor: Floats
    coupling_weight: float
    grid: Grid

    @property
    def values(self) -> Floats:
        """The series themselves, ``[T, n]``."""
        return _total(self.components)

    def oracle(self, cutoffs: Cutoffs, h: int) -> Floats:
        """Return the exact conditional mean of the targets given every component up to the cutoff.

        The deterministic part is known; the noise decays as ``rho**k``; an event is expected with its mean,
        ``0.002 * 2.5 * 0.5`` a step; the last level stays (shifts have mean zero); the coupling is the
        weight times the driver, observed where its lag reaches back to the cutoff and expected beyond.

        Parameters
        ----------
        cutoffs : int or time, or a sequence of them
            Grid steps or times of the last observed step, ``n`` of them.
        h : int
            Steps ahead.

        Returns
        -------
        float array ``[n, h, D]``
            Targets in the order of ``targets``.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.synthetic.hourly(T=500).truth.oracle([300, 400], h=24).shape
        (2, 24, 1)
        """
        h = count("h", h, 1)
        steps = cutoff_steps(self.grid, cutoffs, len(self.event_mask))
        ahead = steps[:, None] + np.arange(1, h + 1)
        noise, shifts = self.components["noise"][steps], self.components["shifts"][steps]
        decay = RHO ** np.arange(1, h + 1)
        known = _total(deterministic(ahead.ravel(), self.trend_factor)).reshape(*ahead.shape, len(self.channels))
        mean = known + decay[None, :, None] * noise[:, None, :] + shifts[:, None, :] + _expected_event()
        self._add_coupling(mean, ahead, steps)
        return mean[..., [self.channels.index(t) for t in self.targets]]

    def _add_coupling(self, mean: Floats, ahead: Ints, steps: Ints) -> None:
        values, level = self.values, self.components["level"][0]
        source = ahead - COUPLING_LAG
        seen = source <= steps[:, None]
        for driven, driver in coupled_pairs(len(self.channels)):
            past = values[np.clip(source, 0, len(values) - 1), driver]
            to_come = np.zeros_like(past)
            to_come[:, COUPLING_LAG:] = mean[:, :-COUPLING_LAG, driver][:, : past.shape[1]]
            drive = np.where(seen, past, to_come) - level[driver]
            mean[..., driven] += self.coupling_weight * np.where(source < 0, 0.0, drive)


def hourly(
    T: int = 2000,
    n_series: int = 3,
    seed: int = 42,
    *,
    regime_shifts: float = 1.0,
    heteroskedasticity: float = 1.0,
    coupling: float = 1.0,
    target: str | Sequence[str] = "x1",
) -> Synthetic[HourlyTruth]:
    """Generate an hourly multivariate series together with its truth.

    With ``t = 0..T-1`` and channel ``s = 0..n-1`` the data are the sum of

    - trend: ``(0.001 t + 0.05 sin(2 pi t / 8760)) * (1 + 0.2 (U_s - 0.5))``, ``U_s`` uniform on (0, 1), one a channel;
    - daily ``(2 + 0.5 s) sin(2 pi t / 24)``, weekly ``(0.8 + 0.2 s) sin(2 pi t / 168)``,
      fortnightly ``0.3 sin(2 pi t / 336)``, base level ``linspace(1, 3, n)``;
    - noise: ``(0.6 + 0.2 s) e_t`` with ``e_t = 0.7 e_{t-1} + 0.3 w_t``, ``w ~ N(0, 0.5^2)``, ``e_{-1} = 0``, channels
      independent;
    - events: at a step with probability 0.002 a shock ``U(0, 5)``, of which every channel gets one half at that
      step alone.

    Three traits, each with a strength ``a`` (0 switches it off; 1 by default):

    - regime shifts: at every step ``t >= 1`` with probability 0.001 the level of every channel moves for good by
      ``a * J``, ``J ~ N(0, 1)`` per channel, added to the trend (not multiplied by its factor);
    - heteroskedasticity: ``w_t`` becomes ``(1 + 2 a g_t) w_t`` with the activity ``g_t = 1`` at an event and
      ``0.9 g_{t-1}`` otherwise, ``g_{-1} = 0``;
    - coupling: channel ``s = 0, 2, 4 ...`` (as long as ``s + 1 < n``) gets ``0.5 a (x_{s+1, t-3} - level_{s+1})``;
      nothing for ``t < 3``. Driving channels (odd) are driven by none, so that any strength is stable.

    Every component draws from a stream of its own: a trait switched on or off leaves the other components as
    they were, and a longer series begins with the shorter one. Source: specification of the sequence models, section 1.

    Parameters
    ----------
    T : int
        Steps, at least 1; the first is 2019-01-01 00:00.
    n_series : int
        Channels, named ``x1 .. xn``.
    seed : int
    regime_shifts, heteroskedasticity, coupling : float
        Strengths of the traits, at least 0.
    target : str or sequence of str
        Channels in the role of targets; the others are past columns.

    Returns
    -------
    Synthetic
        ``.panel`` and ``.truth`` (:class:`HourlyTruth`).

    Examples
    --------
    >>> import foretide as ft
    >>> data = ft.synthetic.hourly(T=500, n_series=2, target=["x1", "x2"])
    >>> data.panel.targets, data.truth.oracle(400, h=6).shape
    (('x1', 'x2'), (1, 6, 2))
    """
    traits = {"regime_shifts": regime_shifts, "heteroskedasticity": heteroskedasticity, "coupling": coupling}
    return _generate(T, n_series, seed, traits, target)


def _generate(
    T: int, n: int, seed: int, traits: dict[str, float], target: str | Sequence[str]
) -> Synthetic[HourlyTruth]:
    T, n = count("T", T, 1), count("n_series", n, 1)
    seed = count("seed", seed, 0)
    check_size(T, n)
    for name, strength in traits.items():
        if not np.isfinite(strength) or strength < 0:
            raise ConfigError(f"{name} is a strength of at least 0 (0 switches it off); got {strength!r}.")
    factor = 1 + 0.2 * (stream(seed, 0).uniform(size=n) - 0.5)
    events, shock = _events(T, seed)
    change_points, shifts = _shifts(T, n, seed, traits["regime_shifts"])
    components = {
        **deterministic(np.arange(T), factor),
        "noise": _noise(T, n, seed, 1 + WIDENING * traits["heteroskedasticity"] * _activity(events)),
        "events": np.repeat(EVENT_SHARE * shock[:, None], n, axis=1),
        "shifts": shifts,
    }
    weight = COUPLING_WEIGHT * traits["coupling"]
    components["coupling"] = _coupling(_total(components), components["level"][0], weight)
    channels = tuple(f"x{s + 1}" for s in range(n))
    panel = hourly_panel(_total(components), channels, target)
    truth = HourlyTruth(components, channels, panel.targets, events, change_points, factor, float(weight), panel.grid)
    return Synthetic(panel, truth)


def deterministic(t: Ints, trend_factor: Floats) -> dict[str, Floats]:
    """Return the components that are known for any step.

    Parameters
    ----------
    t : int array ``[T]``
    trend_factor : float array ``[n]``

    Returns
    -------
    dict of float arrays ``[T, n]``
    """
    n = len(trend_factor)
    s, t = np.arange(n, dtype=np.float64), t[:, None]
    trend = (0.001 * t + 0.05 * np.sin(2 * np.pi * t / (24 * 365))) * trend_factor
    shape = (len(t), n)
    return {
        "trend": trend,
        "daily": (2.0 + 0.5 * s) * np.sin(2 * np.pi * t / 24),
        "weekly": (0.8 + 0.2 * s) * np.sin(2 * np.pi * t / 168),
        "fortnightly": np.broadcast_to(0.3 * np.sin(2 * np.pi * t / 336), shape).copy(),
        "level": np.broadcast_to(np.linspace(1, 3, n), shape).copy(),
    }


def _total(components: dict[str, Floats]) -> Floats:
    total: Floats = np.sum(list(components.values()), axis=0)
    return total


def coupled_pairs(n: int) -> list[tuple[int, int]]:
    """Return (driven, driver) channels.

    Parameters
    ----------
    n : int

    Returns
    -------
    list of (int, int)
    """
    return [(s, s + 1) for s in range(0, n - 1, 2)]


def _expected_event() -> float:
    return EVENT_PROBABILITY * EVENT_HIGH / 2 * EVENT_SHARE


def _events(n_steps: int, seed: int) -> tuple[Bools, Floats]:
    """Return the event mask and the shocks, each ``[T]``."""
    draws = stream(seed, 1).uniform(size=(n_steps, 2))
    mask = draws[:, 0] < EVENT_PROBABILITY
    return mask, np.where(mask, EVENT_HIGH * draws[:, 1], 0.0)


def _activity(events: Bools) -> Floats:
    """Return ``g``: 1 at an event, then decaying, ``[T]``."""
    steps = np.arange(len(events))
    latest = np.maximum.accumulate(np.where(events, steps, -1))
    return np.where(latest >= 0, ACTIVITY_DECAY ** (steps - latest).astype(float), 0.0)


def _noise(n_steps: int, n: int, seed: int, widening: Floats) -> Floats:
    w = (1 - RHO) * NOISE_SD * stream(seed, 2).standard_normal((n_steps, n)) * widening[:, None]
    noise, last = np.empty_like(w), np.zeros(n)
    for t in range(n_steps):
        last = RHO * last + w[t]
        noise[t] = last
    return noise * (0.6 + 0.2 * np.arange(n))


def _shifts(n_steps: int, n: int, seed: int, strength: float) -> tuple[Ints, Floats]:
    """Return the change points and the level they have led to so far, ``[T, n]``."""
    if strength == 0:
        return np.zeros(0, np.int64), np.zeros((n_steps, n))
    moves = stream(seed, 3).uniform(size=n_steps) < SHIFT_PROBABILITY
    moves[0] = False
    jumps = stream(seed, 4).standard_normal((n_steps, n)) * moves[:, None]
    return np.flatnonzero(moves), strength * np.cumsum(jumps, axis=0)


def _coupling(values: Floats, level: Floats, weight: float) -> Floats:
    term = np.zeros_like(values)
    for driven, driver in coupled_pairs(values.shape[1]):
        term[COUPLING_LAG:, driven] = weight * (values[:-COUPLING_LAG, driver] - level[driver])
    return term

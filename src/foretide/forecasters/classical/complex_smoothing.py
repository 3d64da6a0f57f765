"""Intervals of complex exponential smoothing, from its state space form.

The library draws 5,000 paths per forecast for them, in which errors change the last states and none come after: they
take hundreds of times as long as the estimation, and do not widen as the steps ahead do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from foretide.forecasters.gaussian import normal_quantiles

if TYPE_CHECKING:
    from foretide.typing import Floats


def responses(par: Mapping[str, float], season: int, kind: str, h: int) -> Floats:
    """Return by what an error of one moves the values from its own step on.

    For level ``l`` and information ``c``,
    ``y_t = l_{t-m} + e_t``, ``l_t = l_{t-m} - (1 - a1) c_{t-m} + (a0 - a1) e_t``,
    ``c_t = l_{t-m} + (1 - a0) c_{t-m} + (a0 + a1) e_t``. ``m`` is the season for kind S and one otherwise; kind P adds
    a season with one parameter ``b0``, kind F a second such pair over the season. Svetunkov, Kourentzes and Ord (2022),
    Complex exponential smoothing, Naval Research Logistics 69(8).

    Parameters
    ----------
    par : mapping
        ``alpha_0``, ``alpha_1``, and ``beta_0``, ``beta_1`` where the kind has them.
    season : int
    kind : {"N", "S", "P", "F"}
    h : int

    Returns
    -------
    float array ``[h]``
        The first is one.

    Examples
    --------
    >>> responses({"alpha_0": 1.0, "alpha_1": 0.0}, 12, "N", 3).tolist()
    [1.0, 1.0, 0.0]
    """
    found = np.zeros(h)
    found += _pair(par["alpha_0"], par["alpha_1"], season if kind == "S" else 1, h)
    if kind == "P":
        found[season::season] += par["beta_0"]
    if kind == "F":
        found += _pair(par["beta_0"], par["beta_1"], season, h)
    found[0] = 1.0
    return found


def _pair(real: float, imaginary: float, lag: int, h: int) -> Floats:
    """What one pair of states with a lag adds to the values, ``[h]``."""
    found = np.zeros(h)
    level, information = real - imaginary, real + imaginary
    for step in range(lag, h, lag):
        found[step] = level
        level, information = level - (1 - imaginary) * information, level + (1 - real) * information
    return found


def with_intervals_of_its_own(
    answer: Mapping[str, Floats], model: Mapping[str, object], level: list[float]
) -> Mapping[str, Floats]:
    """Add normal intervals, as the library names them, to a forecast ``mean`` of complex exponential smoothing.

    Parameters
    ----------
    answer : mapping
        ``mean`` ``[h]``.
    model : mapping
        What the library keeps of the model: ``par``, ``m``, ``seasontype``, ``sigma2``.
    level : list of float
        In percent.

    Returns
    -------
    mapping
        ``mean``, and ``lo-x`` and ``hi-x`` for every level ``x``.
    """
    mean = np.asarray(answer["mean"], dtype=np.float64)
    par, kind = model["par"], str(model["seasontype"])
    assert isinstance(par, Mapping)
    season, variance = (float(np.asarray(model[key])) for key in ("m", "sigma2"))
    spread = np.sqrt(variance * np.cumsum(responses(par, int(season), kind, len(mean)) ** 2))
    sides = [(f"{name}-{one}", 0.5 + sign * one / 200) for name, sign in (("lo", -1), ("hi", 1)) for one in level]
    quantiles = normal_quantiles(mean, spread, tuple(q for _, q in sides))
    return {"mean": mean, **{name: quantiles[:, k] for k, (name, _) in enumerate(sides)}}

"""What a forecast is worth for supplies: how much to stock, and what stocking it led to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Bools, Floats, Ints


def critical_ratio(shortage_cost: float, holding_cost: float) -> float:
    """Return the quantile level whose stock costs least: ``shortage / (shortage + holding)``.

    Parameters
    ----------
    shortage_cost, holding_cost : float
        Of one unit missing, and of one left over, a step.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ConfigError
        For costs that are not positive.

    Examples
    --------
    >>> critical_ratio(9, 1)
    0.9
    """
    for name, cost in (("shortage_cost", shortage_cost), ("holding_cost", holding_cost)):
        if not (_is_number(cost) and cost > 0 and np.isfinite(cost)):
            raise ConfigError(f"{name} is a positive cost of one unit and step, got {cost!r}.")
    return shortage_cost / (shortage_cost + holding_cost)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def newsvendor_quantity(
    values: ArrayLike, levels: Sequence[float], shortage_cost: float, holding_cost: float, *, counts: bool = False
) -> Floats:
    """Return the stock that costs least under a predictive distribution: its quantile at the critical ratio.

    Each step is decided alone: what is left over is not carried to the next (the newsvendor of Arrow, Harris & Marschak
    1951).

    Parameters
    ----------
    values : array-like ``[..., Q]``
        Quantiles.
    levels : sequence of float
        Ascending, as fractions. Between two of them the quantile is interpolated.
    shortage_cost, holding_cost : float
        Cost of one unit that is missing, and of one left over, a step.
    counts : bool
        Whether stock is rounded up to whole units.

    Returns
    -------
    float array ``[...]``

    Raises
    ------
    ConfigError
        When the ratio ``shortage_cost / (shortage_cost + holding_cost)`` lies outside the levels that are held.

    Examples
    --------
    >>> newsvendor_quantity([[1.0, 3.0, 8.0]], (0.5, 0.8, 0.9), 9, 1).tolist()
    [8.0]
    """
    ratio = critical_ratio(shortage_cost, holding_cost)
    quantiles, grid = np.asarray(values, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or np.any(np.diff(grid) <= 0) or quantiles.shape[-1:] != grid.shape:
        raise ConfigError(
            f"Expected quantiles [..., {grid.size}] of ascending levels; got shape {quantiles.shape}, "
            f"levels {tuple(levels)}."
        )
    exact = np.flatnonzero(np.abs(grid - ratio) < 1e-9)
    if len(exact):
        quantity = quantiles[..., exact[0]]
    elif not grid[0] < ratio < grid[-1]:
        raise ConfigError(
            f"The stock of least cost is the quantile {ratio:.4g}, and levels {grid[0]:g} to {grid[-1]:g} are held. "
            f"Ask for it: model.predict(..., quantiles=[..., {ratio:.4g}])"
        )
    else:
        k = int(np.searchsorted(grid, ratio)) - 1
        share = (ratio - grid[k]) / (grid[k + 1] - grid[k])
        quantity = quantiles[..., k] + share * (quantiles[..., k + 1] - quantiles[..., k])
    # A whole number that rounding has lifted by a hair stays itself.
    return np.asarray(np.ceil(quantity - 1e-9) if counts else quantity)


def order_up_to(paths: ArrayLike, lead_time: int, service_level: float) -> Floats:
    """Return the stock, on hand and on order, that lasts a lead time with some probability: the order-up-to level.

    What is ordered now arrives after the lead time, so the stock must last that long, and the sum of demand over it
    decides. Where orders are placed every so many steps, the lead time is that of an order and these steps together.

    Parameters
    ----------
    paths : array-like ``[N, n, H, D]``
        Joint futures of demand, such as :meth:`foretide.Forecast.sample` draws; each counts alike.
    lead_time : int
        Steps that the stock must last, at most ``H``.
    service_level : float
        Probability that it does, a fraction; of least cost is :func:`critical_ratio`.

    Returns
    -------
    float array ``[N, D]``
        One of the sums that the paths have, so whole where these are.

    Raises
    ------
    ConfigError
        For a lead time beyond the paths, a service level that is no fraction, or anything else than paths.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=200, n_targets=2, seed=0).panel
    >>> paths = ft.SeasonalMean(h=14).fit(panel).predict(panel).sample(500)
    >>> order_up_to(paths, lead_time=10, service_level=critical_ratio(9, 1)).shape
    (1, 2)
    """
    try:
        values = np.asarray(paths, dtype=np.float64)
    except (TypeError, ValueError) as error:
        what = type(paths).__name__
        raise ConfigError(f"Expected paths [N, n, H, D] as forecast.sample() gives them, got {what}.") from error
    if values.ndim != 4:
        raise ConfigError(f"Expected paths [N, n, H, D] as forecast.sample() gives them, got shape {values.shape}.")
    steps = values.shape[2]
    if not isinstance(lead_time, (int, np.integer)) or isinstance(lead_time, bool) or not 1 <= lead_time <= steps:
        raise ConfigError(f"lead_time is a number of steps from 1 to {steps}, which the paths have; got {lead_time!r}.")
    if not (_is_number(service_level) and 0 < service_level < 1):
        raise ConfigError(f"service_level is a fraction between 0 and 1, got {service_level!r}. Type 0.95.")
    sums = values[:, :, :lead_time].sum(axis=2)
    return np.asarray(np.quantile(sums, service_level, axis=1, method="inverted_cdf"))


def stock_decisions(
    y: ArrayLike,
    quantity: ArrayLike,
    shortage_cost: float,
    holding_cost: float,
    *,
    groups: ArrayLike | None = None,
    n_groups: int | None = None,
) -> pd.DataFrame:
    """Return what stocking ``quantity`` at every step led to.

    Parameters
    ----------
    y, quantity : array-like ``[...]``
        Demand, and what was held for it. A point where one is NaN is left out.
    shortage_cost, holding_cost : float
        Cost of one unit that is missing, and of one left over, a step.
    groups : int array, optional
        Number of each point's group from 0, e.g. its series; broadcasts to ``y``.
    n_groups : int, optional
        Rows of the result; the largest group's number plus one by default.

    Returns
    -------
    pandas.DataFrame
        A row per group (one without groups), NaN where it has no step:

        - ``service_level``: share of steps whose demand was met in full; ``stock_out_days``: number of the others;
        - ``fill_rate``: share of demand met, NaN without demand;
        - ``holding`` and ``shortage``: mean units left over and missing; ``cost`` per step; ``n`` steps.

    Raises
    ------
    ConfigError
        For shapes that do not fit, costs that are not positive, or a group outside ``0 .. n_groups - 1``.

    Examples
    --------
    >>> stock_decisions([1.0, 4.0], [2.0, 2.0], 9, 1)[["service_level", "fill_rate", "cost"]].values.tolist()
    [[0.5, 0.6, 9.5]]
    """
    critical_ratio(shortage_cost, holding_cost)
    demand, stock = np.asarray(y, dtype=np.float64), np.asarray(quantity, dtype=np.float64)
    if demand.shape != stock.shape:
        raise ConfigError(f"Demand has shape {demand.shape}, stock {stock.shape}; they must be equal.")
    place, size = _places(groups, n_groups, demand.shape)
    known = ~np.isnan(demand + stock)
    demand, stock, place = demand[known], stock[known], place[known]

    def total(figures: Floats | Bools) -> Floats:
        return np.bincount(place, weights=figures, minlength=size).astype(np.float64)

    n, wanted, met = total(np.ones(len(demand))), total(demand), total(np.maximum(np.minimum(demand, stock), 0))
    steps = np.where(n > 0, n, np.nan)
    out, over, under = total(demand > stock), total(np.maximum(stock - demand, 0)), total(np.maximum(demand - stock, 0))
    return pd.DataFrame({
        "service_level": 1 - out / steps, "stock_out_days": out.astype(np.int64),
        "fill_rate": met / np.where(wanted > 0, wanted, np.nan), "holding": over / steps, "shortage": under / steps,
        "cost": (shortage_cost * under + holding_cost * over) / steps, "n": n.astype(np.int64),
    })  # fmt: skip


def _places(groups: ArrayLike | None, n_groups: int | None, shape: tuple[int, ...]) -> tuple[Ints, int]:
    """Return the group of each point, and how many groups there are."""
    numbers = np.asarray(0 if groups is None else groups, dtype=np.int64)
    try:
        place = np.broadcast_to(numbers, shape)
    except ValueError as error:
        raise ConfigError(f"groups of shape {numbers.shape} do not broadcast to the demand's {shape}.") from error
    size = int(place.max(initial=0)) + 1 if n_groups is None else n_groups
    if place.min(initial=0) < 0 or place.max(initial=0) >= size:
        raise ConfigError(f"groups are numbered 0 .. {size - 1}, got {place.min()} to {place.max()}.")
    return place, size

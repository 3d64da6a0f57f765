"""Forecasts of intermittent demand: Croston and what came after, by statsforecast.

All of them forecast the mean demand of a step, the same for every step ahead. They share these rules:

- A missing value is left out, as if its step did not exist; nothing after a cutoff is read.
- A history that is zero throughout is forecast as zero; one without any positive value gets the stand-in, for
  there is no demand in it.
- A cutoff before the first observed value of a series is answered with NaN: nothing is known there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from foretide.data.time.seasons import telling
from foretide.data.windows import evenly
from foretide.forecasters.base import FitPart
from foretide.forecasters.gaussian import too_large
from foretide.forecasters.simple.baselines import _Simple, check_share
from foretide.forecasters.sizes import SHARES, Sizes, SpaceEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from foretide.data.panel import Panel
    from foretide.typing import Floats, Ints


SERIES_LOOKED_AT = 200
"""Smoothing shares are chosen on at most this many series, evenly spaced."""


class _Intermittent(_Simple):
    """A model of statsforecast that is a formula of the whole history, computed anew at every cutoff."""

    needs = "statsforecast"
    method: ClassVar[str]
    """Name of the model there."""

    def _arguments(self) -> dict[str, float]:
        return {}

    def _ahead(self, history: Floats, cutoffs: Ints) -> Floats:
        model, mean = _model(self.method, **self._arguments()), np.full((len(cutoffs), history.shape[1]), np.nan)
        for d, series in enumerate(history.T):
            seen = ~np.isnan(series)
            y = np.ascontiguousarray(series[seen])
            counts, where = np.unique(np.cumsum(seen)[cutoffs], return_inverse=True)
            values = [_one(model, y[:n]) for n in counts]
            mean[:, d] = np.array(values)[where]
        return np.repeat(mean[:, None, :], self.h, axis=1)


class Croston(_Intermittent):
    """Smoothed size of a demand over the smoothed time between demands, both with a share of 0.1.

    Croston (1972), *Forecasting and stock control for intermittent demands*; statsforecast ``CrostonClassic``.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=120, seed=1).panel
    >>> ft.Croston(h=7).fit(panel).predict(panel).mean.shape[1]
    7
    """

    method = "CrostonClassic"
    default_for = "counts"


class SBA(_Intermittent):
    """Croston's forecast times 0.95, which takes most of its bias away.

    Syntetos & Boylan (2005), *The accuracy of intermittent demand estimates*; statsforecast ``CrostonSBA``.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=120, seed=1).panel
    >>> ft.SBA(h=7).fit(panel).predict(panel).mean.shape[1]
    7
    """

    method = "CrostonSBA"
    default_for = "counts"


class TSB(_Intermittent):
    """Smoothed probability of a demand times its smoothed size; it fades where demand has ceased.

    Teunter, Syntetos & Babai (2011), *Intermittent demand: linking forecasting to inventory obsolescence*;
    statsforecast ``TSB``.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alpha_d, alpha_p : float, optional
        Shares of the newest demand in the size, and of the newest step in the probability, above 0 and at most 1. By
        default chosen from :attr:`grid_d` and :attr:`grid_p` on the training part, by the squared error one step ahead.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=120, seed=1).panel
    >>> ft.TSB(h=7, alpha_d=0.1, alpha_p=0.1).fit(panel).predict(panel).mean.shape[1]
    7
    """

    method = "TSB"
    default_for = "counts"
    learned = ("alphas_",)
    chosen: ClassVar[Mapping[str, str]] = {"alpha_d": "_size", "alpha_p": "_share"}
    grid_d = (0.05, 0.1, 0.2, 0.3)
    grid_p = (0.02, 0.05, 0.1, 0.2, 0.3)

    def __init__(
        self, h: int, alpha_d: float | None = None, alpha_p: float | None = None, *, alias: str | None = None
    ) -> None:
        super().__init__(h, alias=alias)
        self.alpha_d, self.alpha_p = check_share("alpha_d", alpha_d), check_share("alpha_p", alpha_p)
        self.alphas_ = (alpha_d or 0.1, alpha_p or 0.1)

    def _fit(self, part: FitPart) -> None:
        sizes = self.grid_d if self.alpha_d is None else (self.alpha_d,)
        shares = self.grid_p if self.alpha_p is None else (self.alpha_p,)
        pairs = [(size, share) for size in sizes for share in shares]
        self.alphas_ = pairs[0] if len(pairs) == 1 else _least_error(part.train, pairs)

    def _arguments(self) -> dict[str, float]:
        return {"alpha_d": self.alphas_[0], "alpha_p": self.alphas_[1]}

    @property
    def _size(self) -> float:
        return self.alphas_[0]

    @property
    def _share(self) -> float:
        return self.alphas_[1]

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Both shares."""
        return {"alpha_d": SHARES, "alpha_p": SHARES}


class ADIDA(_Intermittent):
    """Smooths sums over blocks as long as the mean time between demands.

    Nikolopoulos et al. (2011), *An aggregate-disaggregate intermittent demand approach*; statsforecast ``ADIDA``.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=120, seed=1).panel
    >>> ft.ADIDA(h=7).fit(panel).predict(panel).mean.shape[1]
    7
    """

    method = "ADIDA"


class IMAPA(_Intermittent):
    """Mean of forecasts from blocks of one step up to the mean time between demands.

    Petropoulos & Kourentzes (2015), *Forecast combinations for intermittent demand*; statsforecast ``IMAPA``.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.supplies(T=120, seed=1).panel
    >>> ft.IMAPA(h=7).fit(panel).predict(panel).mean.shape[1]
    7
    """

    method = "IMAPA"


def _model(method: str, **arguments: float) -> Any:
    return getattr(importlib.import_module("statsforecast.models"), method)(**arguments)


def _one(model: Any, y: Floats) -> float:
    """Return the forecast of one step, NaN without a history, or where nothing but negative values was in demand."""
    if not len(y) or (y.any() and y.max() <= 0):
        return np.nan
    return float(model.forecast(y=y, h=1)["mean"][0])


def _least_error(train: Panel, pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the shares of TSB with the least squared error one step ahead.

    Errors are taken relative to each series' mean error over all pairs, so that no series rules by its unit.
    """
    total = np.zeros(len(pairs))
    for y in _sample(train):
        models = [_model("TSB", alpha_d=size, alpha_p=share) for size, share in pairs]
        fitted = [model.forecast(y=y, h=1, fitted=True)["fitted"] for model in models]
        errors = np.array([np.nanmean((y[1:] - values[1:]) ** 2) for values in fitted])
        if errors.mean() > 0:
            total += errors / errors.mean()
    return pairs[int(np.argmin(total))] if total.any() else pairs[len(pairs) // 2]


def _sample(train: Panel) -> Iterator[Floats]:
    """Yield the observed values of some series, those with at least three and a demand."""
    entities = telling(train)
    n = len(entities) * train.n_targets
    for number in evenly(n, SERIES_LOOKED_AT, down=True):
        entity, d = divmod(int(number), train.n_targets)
        y = np.array(train.rows(entities[entity])[:, d], dtype=np.float64)
        y = y[~np.isnan(y)]
        if len(y) >= 3 and y.max() > 0 and too_large(y) is None:
            yield y

"""What a scorecard says of predictive distributions: coverage, calibration, and the stock they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError
from foretide.evaluation.cards.figures import Figures
from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.metrics.calibration import PitHistogram, pit_histogram, reliability
from foretide.evaluation.metrics.pit import pit_from_quantiles
from foretide.evaluation.metrics.stock import newsvendor_quantity, stock_decisions
from foretide.forecasters.levels import bounds_of, interval_level

if TYPE_CHECKING:
    from foretide.typing import Floats, Frame


@dataclass(frozen=True, eq=False)
class Calibration(Figures):
    """Figures of forecasts and of their distributions; the data are those of :class:`Figures`.

    Attributes
    ----------
    panel, windows, truth, forecasts, baselines, scale, notes, distributions, rates, counts, unused
        As of :class:`Figures`.
    """

    def coverage(self, level: float = 80, by: str | Sequence[str] | None = None, *, fair: bool = False) -> Frame:
        """Return how often the truth lies in the central interval of each model that has one.

        Parameters
        ----------
        level : float
            In percent.
        by : str or sequence of str, optional
            As in :meth:`scores`, a row for each group with one column per model; by default one row per model with
            ``model``, ``level``, ``coverage`` and the mean ``width``.
        fair : bool
            Of the randomised PIT instead, which is ``level`` exactly where the distribution is right, for counts too;
            needs a dense grid of quantiles.

        Returns
        -------
        DataFrame

        Raises
        ------
        ConfigError
            When no model holds the quantiles.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> model = ft.SeasonalNaive(h=4, season=24, alias="Naive")
        >>> card = ft.backtest(model, data.panel, n_windows=8, step=5, baselines=False)
        >>> card.coverage(80).columns.tolist()
        ['model', 'level', 'coverage', 'width']
        """
        level = interval_level(level)
        name = f"{'fair_' if fair else ''}coverage_{level:g}"
        models = [model for model in self.forecasts if self.has(name, model)]
        if not models:
            raise ConfigError(
                "Fair coverage needs a dense grid: predict(..., quantiles=[k / 100 for k in range(1, 100)])"
                if fair
                else f"No model holds the quantiles {bounds_of(level)} of a {level:g} % interval. "
                f"Ask for them: model.predict(..., levels=({level:g},))"
            )
        if by is None:
            figures = {"coverage": name, "width": f"width_{level:g}"}
            columns = {key: [self.value(model, metric) for model in models] for key, metric in figures.items()}
            return self.frame(pd.DataFrame({"model": models, "level": float(level), **columns}))
        groups = groups_of(self, by)
        return self.frame(self.frame_of(name, groups)[[*groups.keys.columns, *models]])

    def pit(self, model: str, seed: int = 0) -> Floats:
        """Return the randomised PIT of each point, from a dense grid of quantiles.

        Uniform on (0, 1) where the distribution is right; unlike coverage it is exact for counts too, whose intervals
        of whole numbers hold more than they say.

        Parameters
        ----------
        model : str
        seed : int
            Of the randomness.

        Returns
        -------
        float array ``[N, H, D]``
        """
        own = self.distribution(model)
        return pit_from_quantiles(self.distributions.truth, own.values, own.levels, np.random.default_rng(seed))

    def pit_histogram(self, model: str, bins: int | None = 10) -> PitHistogram:
        """Return how many truths fall between neighbouring quantiles, beside how many should.

        Parameters
        ----------
        model : str
        bins : int, optional
            About so many cells; None: one for each pair of neighbours.

        Returns
        -------
        PitHistogram

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> model = ft.SeasonalNaive(h=4, season=24, alias="Naive")
        >>> card = ft.backtest(model, data.panel, n_windows=8, step=5, baselines=False)
        >>> float(card.pit_histogram("Naive").observed.sum().round(6))
        1.0
        """
        own = self.distribution(model)
        return pit_histogram(self.distributions.truth, own.values, own.levels, bins=bins)

    def reliability(self, model: str, by: str | Sequence[str] = ()) -> Frame:
        """Return for each quantile level how many truths lie below, and at or below, its forecast.

        Parameters
        ----------
        model : str
        by : str or sequence of str
            As in :meth:`scores`.

        Returns
        -------
        DataFrame
            The groups, then ``level``, ``below``, ``at_or_below``, ``n``.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> model = ft.SeasonalNaive(h=4, season=24, alias="Naive")
        >>> card = ft.backtest(model, data.panel, n_windows=8, step=5, baselines=False)
        >>> card.reliability("Naive").columns.tolist()
        ['level', 'below', 'at_or_below', 'n']
        """
        own, groups = self.distribution(model), groups_of(self, by)
        table = reliability(self.distributions.truth, own.values, own.levels, groups=groups.codes)
        keys = groups.keys.iloc[table.pop("group").to_numpy()].reset_index(drop=True)
        return self.frame(pd.concat([keys, table], axis=1))

    def stock(self, shortage_cost: float = 9.0, holding_cost: float = 1.0, by: str | Sequence[str] = ()) -> Frame:
        """Return what the newsvendor's quantity from each model's quantiles would have done.

        Parameters
        ----------
        shortage_cost, holding_cost : float
            Of one unit missing, and of one left over, a step. The stock of each step is the quantile at
            ``shortage_cost / (shortage_cost + holding_cost)``.
        by : str or sequence of str
            As in :meth:`scores`.

        Returns
        -------
        DataFrame
            ``model``, the groups, ``service_level``, ``stock_out_days``, ``fill_rate``, ``holding``, ``shortage``,
            ``cost``, ``n``.

        Raises
        ------
        ConfigError
            When no model has quantiles.

        Examples
        --------
        >>> import foretide as ft
        >>> data = ft.synthetic.hourly(T=240, n_series=1, seed=1)
        >>> model = ft.SeasonalNaive(h=4, season=24, alias="Naive")
        >>> card = ft.backtest(model, data.panel, n_windows=8, step=5, baselines=False)
        >>> card.stock(shortage_cost=3, holding_cost=1)["n"].tolist()
        [32]
        """
        groups, parts, costs = groups_of(self, by), [], (shortage_cost, holding_cost)
        for model, own in self.distributions.quantiles.items():
            stock = newsvendor_quantity(own.values, own.levels, *costs, counts=self.counts)
            truth = self.distributions.truth
            table = stock_decisions(truth, stock, *costs, groups=groups.codes, n_groups=len(groups))
            keys = groups.keys.reset_index(drop=True)
            keys.insert(0, "model", model)
            parts.append(pd.concat([keys, table], axis=1))
        if not parts:
            raise ConfigError("No model has quantiles to take a stock from. Backtest one with quantiles=(0.1, …, 0.9).")
        return self.frame(pd.concat(parts, ignore_index=True))

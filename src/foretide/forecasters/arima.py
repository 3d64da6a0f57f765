"""ARIMA, estimated once per series and rolled forward through new observations."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.history import by_entity, targets_until
from foretide.forecasters.laws import naive_law, normal_quantiles, require, say_replaced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

    Floats = NDArray[np.float64]
    Steps = NDArray[np.int64]


class ARIMA(Forecaster):
    """ARIMA(p, d, q) in state-space form (statsmodels), one per series.

    The parameters are estimated once on the training part (maximum likelihood; a constant where ``d = 0``).
    At prediction the Kalman filter runs once over a series' history, and the forecast of every cutoff starts from
    the state predicted there: the same numbers as ``results.apply(y[:cutoff]).forecast(h)``, for all cutoffs
    at once. A missing value is skipped by the filter. Intervals are the model's own (Gaussian, parameters
    taken as known).

    A series that is constant, too short, unknown at fit, or whose estimation fails gets the random walk with its
    intervals instead; a warning says how many.

    Parameters
    ----------
    h : int
        Steps forecast from each cutoff.
    order : (int, int, int)
        Autoregressive order, differences, moving-average order.
    fit_rows : int, optional
        Parameters are estimated on at most this many of the last training rows.
    alias : str, optional
        Name in frames and tables.

    References
    ----------
    Durbin & Koopman, *Time Series Analysis by State Space Methods*, 2nd ed., chapters 3 and 4.
    """

    has_law = True
    knows_ids = True
    accepts_new_ids = False
    baseline = True

    def __init__(
        self, h: int, order: Sequence[int] = (5, 1, 0), fit_rows: int | None = 20_000, *, alias: str | None = None
    ) -> None:
        super().__init__(h, alias=alias)
        require("statsmodels", "ARIMA")
        if len(order) != 3 or any(not isinstance(k, (int, np.integer)) or k < 0 for k in order):
            raise ConfigError(f"order is three whole numbers (p, d, q) such as (5, 1, 0), got {order!r}.")
        if fit_rows is not None and fit_rows < 50:
            raise ConfigError(f"fit_rows must be at least 50, or None for all rows; got {fit_rows!r}.")
        self.order = (int(order[0]), int(order[1]), int(order[2]))
        self.fit_rows = fit_rows
        self._params: dict[str, Floats] = {}
        """Series name -> location, scale, parameters."""

    def _fit(self, part: FitPart) -> None:
        train = part.train
        self._params = {}
        replaced: dict[str, list[str]] = {}
        for entity in range(train.n_entities):
            history = targets_until(train, entity, int(train.length[entity]) - 1)
            for d in range(train.n_targets):
                name = _key(train.ids[entity], train.targets[d])
                try:
                    self._params[name] = self._estimate(history[:, d])
                except (ValueError, np.linalg.LinAlgError, IndexError) as error:
                    replaced.setdefault(str(error), []).append(train.series_name(entity, d))
        say_replaced(self.name, replaced, "the random walk")

    def _estimate(self, series: Floats) -> Floats:
        series = _from_first(series)
        series = series if self.fit_rows is None else series[-self.fit_rows :]
        seen = series[~np.isnan(series)]
        needed = 3 * (sum(self.order) + 2)
        if len(seen) < needed:
            raise ValueError(f"fewer than {needed} values are observed in training")
        location, scale = float(seen.mean()), float(seen.std())
        if scale <= 1e-12 * max(1.0, abs(location)):
            raise ValueError("the series is constant in training")
        # The filter's approximate diffuse start and the optimiser both suppose values near 1.
        model = _state_space((series - location) / scale, self.order)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(cov_type="none", low_memory=True)
        if not np.isfinite(found.params).all():
            raise ValueError("the estimation did not end in finite parameters")
        return np.concatenate([[location, scale], np.asarray(found.params, dtype=np.float64)])

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        mean = np.empty((len(windows), self.h, panel.n_targets))
        sd = np.empty_like(mean)
        replaced: list[str] = []
        for entity, chosen in by_entity(windows):
            cutoffs = windows.cutoff[chosen]
            history = targets_until(panel, entity, int(cutoffs.max()))
            for d in range(panel.n_targets):
                series, params = history[:, d], self._params.get(_key(panel.ids[entity], panel.targets[d]))
                if params is None:
                    law = naive_law(series[:, None], cutoffs, self.h, 1)
                    mean[chosen, :, d], sd[chosen, :, d] = law[0][..., 0], law[1][..., 0]
                    replaced.append(panel.series_name(entity, d))
                else:
                    mean[chosen, :, d], sd[chosen, :, d] = self._roll(series, cutoffs, params)
        if replaced:
            say_replaced(self.name, {"no parameters could be estimated for them at fit": replaced}, "the random walk")
        return Prediction(mean, normal_quantiles(mean, sd, quantiles) if quantiles else None)

    def _roll(self, series: Floats, cutoffs: Steps, params: Floats) -> tuple[Floats, Floats]:
        """Filter once, forecast from every cutoff: mean and standard deviation, each ``[n, H]``."""
        location, scale = params[:2]
        trimmed = _from_first(series)
        rows = cutoffs - (len(series) - len(trimmed)) + 1
        if not len(trimmed):
            empty = np.full((len(cutoffs), self.h), np.nan)
            return empty, empty
        model = _state_space((trimmed - location) / scale, self.order)
        model.update(params[2:])
        filtered = model.ssm.filter()
        state = filtered.predicted_state[:, rows.clip(0)].T
        cov = filtered.predicted_state_cov[:, :, rows.clip(0)]
        transition, selection = filtered.transition[:, :, -1], filtered.selection[:, :, -1]
        shock = selection @ filtered.state_cov[:, :, -1] @ selection.T
        # Row k of `reach` is Z T^k: what a state contributes to the observation k + 1 steps later.
        reach = np.empty((self.h, len(transition)))
        reach[0] = filtered.design[0, :, -1]
        for k in range(1, self.h):
            reach[k] = reach[k - 1] @ transition
        fresh = np.einsum("hi,ij,hj->h", reach, shock, reach)
        variance = np.einsum("hi,ijn,hj->nh", reach, cov, reach) + np.concatenate([[0.0], fresh[:-1].cumsum()])
        mean = state @ reach.T + filtered.obs_intercept[0, -1]
        mean[rows < 1] = np.nan
        return location + scale * mean, scale * np.sqrt(variance + filtered.obs_cov[0, 0, -1])

    def state(self) -> dict[str, NDArray[Any]]:
        """Location, scale and parameters of every series, ``[series, 2 + parameters]``."""
        return {"params": np.stack(list(self._params.values()))} if self._params else {}

    def facts(self) -> dict[str, Any]:
        """Names of the series in the order of the parameters."""
        return {"series": list(self._params)}

    def restore(self, state: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        """Take the parameters back."""
        self._params = {name: state["params"][i] for i, name in enumerate(facts["series"])}


def _key(entity: str, target: str) -> str:
    return f"{entity}\n{target}"


def _from_first(series: Floats) -> Floats:
    """Drop what lies before the first observed value."""
    seen = np.flatnonzero(~np.isnan(series))
    return series[seen[0] :] if len(seen) else series[:0]


def _state_space(series: Floats, order: tuple[int, int, int]) -> Any:
    from statsmodels.tsa.arima import model as arima

    return arima.ARIMA(series, order=order)

"""ARIMA, estimated once per series and rolled forward through new observations."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from foretide.data.checkpoints import Gradual
from foretide.data.time.ahead import check_known, known_rows
from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.classical.regressors import Regressors, left_out_notes
from foretide.forecasters.fitting import go_on, so_far
from foretide.forecasters.gaussian import (
    naive_distribution,
    normal_quantiles,
    runs_away,
    say_replaced,
    too_large,
)
from foretide.forecasters.replaced import Replaced
from foretide.forecasters.simple.history import by_entity, targets_until, wakes
from foretide.forecasters.sizes import Sizes, SpaceEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Ints, Json


ROUNDS = 2
"""Effects of known-future columns and parameters of the errors are estimated in turn, so many times."""
NO_BETTER = "by its information criterion (BIC) a model is no better with them"
AWAY = "its own forecast lay more than 100 times the range of the history beyond it"


@dataclass(frozen=True, eq=False)
class _Estimate:
    """Location, scale and parameters of a model, its BIC, and the effects ``[k]`` of the regressors in use."""

    params: Floats
    criterion: float
    effects: Floats


MOST_ORDER = 1000


class ARIMA(Forecaster):
    """ARIMA(p, d, q) in state-space form (statsmodels), one per series.

    The parameters are estimated once on the training part (maximum likelihood; a constant where ``d = 0``).
    At prediction the Kalman filter runs once over a series' history, and the forecast of every cutoff starts from
    the state predicted there: the same numbers as ``results.apply(y[:cutoff]).forecast(h)``, for all cutoffs
    at once. A missing value is skipped by the filter. Intervals are the model's own (Gaussian, parameters
    taken as known).

    Known-future columns enter as a regression with ARIMA errors: their effects are estimated by generalised least
    squares in turn with the parameters, and what is left of the series is filtered. Columns that the training part of a
    series cannot tell apart are left out, all of them where the information criterion (BIC) is no better with them;
    notes say so.

    Ten or more equal values at the beginning of a series are taken for sleep. The estimation begins where it wakes;
    where that leaves too few values, the residuals asleep, which are none, do not count for the spread.

    A series that is constant, too short, unknown at fit, or whose estimation fails gets the random walk with its
    intervals instead; a warning says how many, notes say which.

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

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.ARIMA(h=24, order=(1, 0, 0)).fit(panel).predict(panel)
    Forecast(ARIMA: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    needs = "statsmodels"
    quick: ClassVar[Mapping[str, object]] = {"order": (2, 1, 0)}
    has_distribution = True
    knows_ids = True
    accepts_new_ids = False
    baseline = True
    uses_future = True

    def __init__(
        self, h: int, order: Sequence[int] = (5, 1, 0), fit_rows: int | None = 20_000, *, alias: str | None = None
    ) -> None:
        super().__init__(h, alias=alias)
        if len(order) != 3 or any(not isinstance(k, (int, np.integer)) or k < 0 for k in order):
            raise ConfigError(f"order is three whole numbers (p, d, q) such as (5, 1, 0), got {order!r}.")
        if fit_rows is not None and fit_rows < 50:
            raise ConfigError(f"fit_rows must be at least 50, or None for all rows; got {fit_rows!r}.")
        if max(order) > MOST_ORDER:
            raise ConfigError(
                f"order has numbers of at most {MOST_ORDER:,}, for its state grows with them; got {order!r}."
            )
        self.order = (int(order[0]), int(order[1]), int(order[2]))
        self.fit_rows = fit_rows
        self._params: dict[str, Floats] = {}
        """Series name -> location, scale, parameters."""
        self._regressors: dict[str, Regressors] = {}
        self._effects: dict[str, Floats] = {}
        self._failed: dict[str, str] = {}
        """Series name -> why no parameters could be estimated."""

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Orders ``(p, d, q)`` in common use."""
        return {"order": [(5, 1, 0), (1, 0, 0), (2, 0, 0), (3, 0, 1), (0, 1, 1), (1, 1, 1), (2, 1, 2)]}

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return any(len(found.columns) for found in self._regressors.values())

    def _fit(self, part: FitPart) -> None:
        train = part.train
        self._params, self._regressors, self._effects, self._failed = {}, {}, {}, {}
        replaced: dict[str, list[str]] = {}
        gradual = Gradual("series")
        go_on(self, gradual.found())
        for entity in range(train.n_entities):
            history = targets_until(train, entity, int(train.length[entity]) - 1)
            table = known_rows(train, entity, 0)
            for d in range(train.n_targets):
                name = _key(train.ids[entity], train.targets[d])
                try:
                    if name not in self._params and name not in self._failed:
                        self._estimate(name, history[:, d], table)
                except (ValueError, np.linalg.LinAlgError, IndexError) as error:
                    self._failed[name] = str(error)
                if name in self._failed:
                    replaced.setdefault(self._failed[name], []).append(train.series_name(entity, d))
                gradual.keep(lambda: so_far(self))
        say_replaced(self.name, replaced, "the random walk")

    def _estimate(self, name: str, history: Floats, table: Floats) -> None:
        """Estimate the model of one series ``[T]`` beside its known-future columns ``[T, F]``."""
        series = _from_first(history)
        series = series if self.fit_rows is None else series[-self.fit_rows :]
        seen = series[~np.isnan(series)]
        needed = 3 * (sum(self.order) + 2)
        if len(seen) < needed:
            raise ValueError(f"fewer than {needed} values are observed in training")
        if large := too_large(seen):
            raise ValueError(large)
        if float(seen.std()) <= 1e-12 * abs(float(seen.mean())):
            raise ValueError("the series is constant in training")
        awake = series[wakes(series) :]
        asleep = len(seen) / int((~np.isnan(awake)).sum())
        if len(seen) / asleep >= needed:
            series, asleep = awake, 1.0
        plain = self._solve(series, np.zeros((len(series), 0)), np.zeros(0))
        plain.params[-1] *= asleep
        if not table.shape[1]:
            self._params[name] = plain.params
            return
        table = table[len(table) - len(series) :]
        regressors = Regressors.choose(table, series, self.order[1])
        best = plain
        if len(regressors.columns):
            reason = NO_BETTER
            try:
                best = self._regress(series, regressors.of(table))
            except (ValueError, np.linalg.LinAlgError) as error:
                reason = f"with them {error}"
            best.params[-1] *= asleep if best is not plain else 1.0
            if not best.criterion < plain.criterion:
                best, regressors = plain, Regressors.none(reason, range(table.shape[1]))
        self._params[name], self._regressors[name], self._effects[name] = best.params, regressors, best.effects

    def _regress(self, series: Floats, x: Floats) -> _Estimate:
        """Estimate a regression on ``x`` ``[T, k]`` with ARIMA errors."""
        d = self.order[1]
        moves, answer = np.diff(x, d, axis=0), np.diff(series, d)
        seen = ~np.isnan(answer)
        design = np.concatenate([np.ones((int(seen.sum()), 1)), moves[seen]], axis=1)
        effects = np.linalg.lstsq(design, answer[seen], rcond=None)[0][1:]
        start = None
        for _ in range(ROUNDS):
            found = self._solve(series, x, effects, start)
            start = found.params[2:]
            columns = x if d else np.concatenate([x, np.ones((len(x), 1))], axis=1)
            table = np.concatenate([series[:, None], columns], axis=1)
            table[np.isnan(series)] = np.nan
            white = _whitened(table, self.order, found.params[3 if d == 0 else 2 :])
            effects = np.linalg.lstsq(white[:, 1:], white[:, 0], rcond=None)[0][: x.shape[1]]
        return self._solve(series, x, effects, start)

    def _solve(self, series: Floats, x: Floats, effects: Floats, start: Floats | None = None) -> _Estimate:
        """Estimate the parameters of what the effects leave of a series."""
        left = series - x @ effects if len(effects) else series
        seen = left[~np.isnan(left)]
        location, scale = float(seen.mean()), float(seen.std())
        if scale <= 1e-12 * abs(location):
            raise ValueError("nothing is left of the series")
        # The filter's approximate diffuse start and the optimiser both suppose values near 1.
        model = _state_space((left - location) / scale, self.order)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(start, cov_type="none", low_memory=True)
        if not np.isfinite(found.params).all():
            raise ValueError("the estimation did not end in finite parameters")
        n, k = len(seen) - self.order[1], len(found.params) + len(effects)
        criterion = k * np.log(n) - 2 * (float(found.llf) - n * np.log(scale))
        params = np.concatenate([[location, scale], np.asarray(found.params, dtype=np.float64)])
        return _Estimate(params, float(criterion), effects)

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        mean = np.empty((len(windows), self.h, panel.n_targets))
        sd = np.empty_like(mean)
        replaced = Replaced(self.name, "the random walk")
        used: list[tuple[Regressors, Ints, int]] = []
        for entity, chosen in by_entity(windows):
            cutoffs = windows.cutoff[chosen]
            history = targets_until(panel, entity, int(cutoffs.max()))
            for d in range(panel.n_targets):
                key, series = _key(panel.ids[entity], panel.targets[d]), history[:, d]
                bad, reason = np.ones(len(chosen), dtype=bool), self._reason(key)
                if key in self._params:
                    effect = self._effect(key, panel, entity, cutoffs)
                    mean[chosen, :, d], sd[chosen, :, d] = self._roll(series, cutoffs, self._params[key], effect)
                    bad, reason = runs_away(mean[chosen, :, d], series, cutoffs), AWAY
                    used += [(self._regressors[key], chosen, d)] if key in self._regressors else []
                if bad.any():
                    distribution, where = naive_distribution(series[:, None], cutoffs[bad], self.h, 1), chosen[bad]
                    mean[where, :, d], sd[where, :, d] = distribution[0][..., 0], distribution[1][..., 0]
                    replaced.add(reason, panel.series_name(entity, d), where)
        notes = (*replaced.notes(), *left_out_notes(self.name, panel, used))
        return Prediction(mean, normal_quantiles(mean, sd, quantiles) if quantiles else None, notes=notes)

    def _reason(self, key: str) -> str:
        why = f" ({self._failed[key]})" if key in self._failed else ""
        return f"no parameters could be estimated for them at fit{why}"

    def _effect(self, key: str, panel: Panel, entity: int, cutoffs: Ints) -> Floats | None:
        """Effects of the known-future columns on an entity's rows and the ``h`` after them; None without any."""
        regressors = self._regressors.get(key)
        if regressors is None or not len(regressors.columns):
            return None
        table = known_rows(panel, entity, self.h)
        check_known(panel, entity, table, cutoffs, self.h, regressors.columns.tolist())
        return np.asarray(regressors.of(table) @ self._effects[key])

    def _roll(
        self, series: Floats, cutoffs: Ints, params: Floats, effect: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Filter once, forecast from every cutoff: mean and standard deviation, each ``[n, H]``."""
        location, scale = params[:2]
        trimmed = _from_first(series if effect is None else series - effect[: len(series)])
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
        mean = location + scale * mean
        if effect is not None:
            mean += effect[cutoffs[:, None] + 1 + np.arange(self.h)]
        return mean, scale * np.sqrt(variance + filtered.obs_cov[0, 0, -1])

    def state(self) -> dict[str, Array]:
        """Location, scale and parameters of every series, ``[series, 2 + parameters]``."""
        return {"params": np.stack(list(self._params.values()))} if self._params else {}

    def facts(self) -> dict[str, object]:
        """Names of the series in the order of the parameters, effects of their regressors, and what failed."""
        known = {name: [found.to_dict(), self._effects[name].tolist()] for name, found in self._regressors.items()}
        return {"series": list(self._params), "known": known, "failed": self._failed}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take the parameters back."""
        self._params = {name: state["params"][i] for i, name in enumerate(facts["series"])}
        self._regressors = {name: Regressors.from_dict(found) for name, (found, _) in facts["known"].items()}
        self._effects = {name: np.array(effects) for name, (_, effects) in facts["known"].items()}
        self._failed = dict(facts["failed"])


def _key(entity: str, target: str) -> str:
    return f"{entity}\n{target}"


def _from_first(series: Floats) -> Floats:
    """Drop what lies before the first observed value."""
    seen = np.flatnonzero(~np.isnan(series))
    return series[seen[0] :] if len(seen) else series[:0]


def _whitened(table: Floats, order: tuple[int, int, int], params: Floats) -> Floats:
    """Return the standardised one-step errors of each column ``[T, k]`` under one model's parameters, observed rows."""
    columns = []
    for column in table.T:
        model = _state_space(column, order, trend="n")
        model.update(params)
        filtered = model.ssm.filter()
        columns.append(filtered.forecasts_error[0] / np.sqrt(filtered.forecasts_error_cov[0, 0]))
    white = np.stack(columns, axis=1)
    return np.asarray(white[~np.isnan(table[:, 0])])


def _state_space(series: Floats, order: tuple[int, int, int], trend: str | None = None) -> Any:
    from statsmodels.tsa.arima import model as arima

    return arima.ARIMA(series, order=order, trend=trend)

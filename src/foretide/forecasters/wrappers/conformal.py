"""Conformal intervals around any point or quantile forecaster."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from foretide.data.counts import BUCKETS, are_counts, buckets, density
from foretide.data.time.seasons import main_season
from foretide.data.windows import Windows, places
from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.base import FitPart, Prediction
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.intervals.past import PastForecasts, predict_within
from foretide.forecasters.wrappers.conformal_quantiles import (
    FEWEST,
    check_settings,
    rolling_conformal,
    units,
    units_of_all,
)
from foretide.forecasters.wrappers.past_errors import ResidualWrapper
from foretide.forecasters.wrappers.wrapper import Member
from foretide.training.saved import rebuilt

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Bools, Floats, Ints, Reals


BY = ("step", "bucket", "series")
"""What errors can be told apart by; where too few are known, the last of these is given up first."""
_TAIL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
GRID = np.array([*_TAIL, 0.5, *(round(1 - q, 10) for q in reversed(_TAIL))])
"""Levels at which a model's own quantiles are kept; in between they are interpolated."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Some forecasts: truth ``[W, H, D]``, quantiles ``[W, H, D, Q]``, step ``[W]``, and ``[W, D]`` each:
    unit, bucket, and series, -1 where a series was not known when the errors were made.
    """

    truth: Floats
    own: Floats
    step: Ints
    unit: Floats
    bucket: Ints
    series: Ints

    @classmethod
    def joined(cls, blocks: Sequence[_Block]) -> _Block:
        parts = {name: [getattr(b, name) for b in blocks] for name in cls.__dataclass_fields__}
        return rebuilt(cls, {name: np.concatenate(part) for name, part in parts.items()})

    def groups(self, by: tuple[str, ...]) -> Ints:
        """Codes of what is pooled, ``[W, H, D]``."""
        h = self.truth.shape[1]
        code = np.zeros(self.truth.shape, dtype=np.int64)
        if "series" in by:
            code += self.series[:, None, :] + 1
        if "bucket" in by:
            code = code * (len(BUCKETS) + 1) + self.bucket[:, None, :]
        return code * h + np.arange(h)[:, None] if "step" in by else code


@dataclass(frozen=True, eq=False)
class Calibration:
    """Past forecasts of entities ``N``, and what makes them comparable.

    Attributes
    ----------
    own : float array ``[W, H, D, K]``
        Quantiles at the levels of ``GRID``, or the point forecast alone (``K = 1``).
    truth : float array ``[W, H, D]``
    entity : int array ``[W]``
        Position among ``ids``.
    step : int array ``[W]``
        Steps from the end of the part to each origin; below zero.
    unit : float array ``[N, D]``
        What errors of a series are divided by.
    bucket : int array ``[N, D]``
        Position among ``BUCKETS``; behind them for a target that is no count.
    counts : bool array ``[D]``
    ids : tuple of str
        The entities that past forecasts could be made of.
    end : str or int
        Time of the last observed step of the part.
    stride, season : int
        Steps between origins; of one season.
    """

    own: Floats
    truth: Floats
    entity: Ints
    step: Ints
    unit: Floats
    bucket: Ints
    counts: Bools
    ids: tuple[str, ...]
    end: str | int
    stride: int
    season: int

    # ---------------------------------------------------------------- learning
    @classmethod
    def of(cls, past: PastForecasts, panel: Panel, season: int) -> Calibration:
        """Take over past forecasts of a panel; units and buckets are those of what their model knew."""
        known, errors = past.known, past.errors
        ends = Windows(np.arange(known.n_entities), known.length - 1)
        counts = are_counts(panel)
        sorts = buckets(density(known))
        bucket = np.select([sorts == name for name in BUCKETS], range(len(BUCKETS)))
        where = places(panel.ids, known.ids)
        end = panel.grid.output_times([past.last])[0]
        return cls(
            _filled(errors.mean, past.quantiles),
            errors.truth,
            where[errors.entity],
            errors.step - past.last,
            units_of_all(known, ends, panel, where, season),
            np.where(counts, bucket, len(BUCKETS)).astype(np.int64),
            counts,
            known.ids,
            int(end) if panel.grid.is_integer else str(end),
            past.stride,
            season,
        )

    @property
    def usable(self) -> Bools:
        """Whether an error is known, ``[W, H, D]``."""
        return np.isfinite(self.truth) & np.isfinite(self.own).all(axis=-1)

    # ---------------------------------------------------------------- forecasting
    def weights(self, levels: Sequence[float]) -> tuple[tuple[float, ...], Floats]:
        """Levels to ask the model for, and weights ``[Q, K]`` of the kept quantiles, linear between two of them."""
        if self.own.shape[-1] == 1:
            return (), np.ones((len(levels), 1))
        at = np.clip(np.asarray(levels), GRID[0], GRID[-1])
        near = np.abs(at[:, None] - GRID) < 1e-9
        at = np.where(near.any(axis=1), GRID[near.argmax(axis=1)], at)
        weights = np.stack([np.interp(at, GRID, one) for one in np.eye(len(GRID))], axis=1)
        return tuple(float(q) for q in GRID[(weights > 0).any(axis=0)]), weights

    def learned(self, weights: Floats) -> _Block:
        """Return the past forecasts with quantiles as they are asked for."""
        d = self.truth.shape[2]
        series = self.entity[:, None] * d + np.arange(d)
        own = self.own @ weights.T
        return _Block(self.truth, own, self.step, self.unit[self.entity], self.bucket[self.entity], series)

    def block(
        self, panel: Panel, windows: Windows, made: Prediction, weights: Floats, step: Ints, with_truth: bool
    ) -> _Block:
        """Return other forecasts, beside what came or with nothing known of it."""
        mean = np.asarray(made.mean, dtype=np.float64)
        own = _filled(mean, made.quantiles)
        kept = weights[:, (weights > 0).any(axis=0)] if made.quantiles is not None else weights
        truth: Floats = np.full(mean.shape, np.nan)
        if with_truth:
            truth = np.asarray(Forecast("", panel, windows, mean).truth(), dtype=np.float64)
        row, d = self.rows(panel)[windows.entity], mean.shape[2]
        strange = row == len(self.ids)
        unit: Floats = np.concatenate([self.unit, np.ones((1, d))])[row]
        still = strange | (unit == 0).any(axis=1)
        if still.any():
            now = units(panel, windows[still], self.season)
            unit[still] = np.where(strange[still, None] | (unit[still] == 0), now, unit[still])
        bucket = np.concatenate([self.bucket, np.zeros((1, d), dtype=np.int64)])[row]
        series = np.where(strange[:, None], -1, row[:, None] * d + np.arange(d))
        return _Block(truth, own @ kept.T, step, unit, bucket, series)

    def rows(self, panel: Panel) -> Ints:
        """Position of a panel's entities among ``ids``, one behind them where unknown, ``[N]``."""
        found = places(panel.ids, self.ids)
        return np.where(found < 0, len(self.ids), found)


def _filled(mean: Floats, quantiles: Reals | None) -> Floats:
    """Quantiles ``[W, H, D, K]``, the mean where a target has none; the mean alone for a point forecaster."""
    mean = np.asarray(mean, dtype=np.float64)[..., None]
    return mean if quantiles is None else np.where(np.isnan(quantiles), mean, quantiles)


def _poolings(by: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """What errors are told apart by, less and less, and the fewest that will do."""
    for kept in range(len(by), -1, -1):
        yield by[:kept], FEWEST
    yield (), 1


class Conformal(ResidualWrapper):
    """Conformal intervals: a forecaster's errors on steps it had not learned from, added to what it forecasts now.

    At ``fit`` the model is fitted twice: on the steps before the last 30 % of the part, so that its forecasts there,
    from up to 60 origins, show errors it did not learn from; and then on the whole part. Errors are taken in units of
    each series' own mean absolute seasonal difference before these 30 %, and pooled over what ``by`` does not tell
    apart. :mod:`foretide.forecasters.wrappers.conformal_quantiles` says how bounds follow from them, and what they
    promise.

    A model with a distribution of its own has its quantiles corrected, level by level (conformalised quantile
    regression); its quantiles are taken at 21 levels and interpolated. Any other has its point forecast shifted. The
    mean stays the model's, and so does its name. Bounds of counts are whole and not negative.

    Where fewer than 20 errors are known, what was told apart is pooled, series first, then buckets, then steps. So it
    is, too, for entities that were not there when the errors were made; their errors are not learned from.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    method : {"split", "adaptive"}
        ``"split"``: errors as they were at ``fit``. ``"adaptive"``: ``predict`` also forecasts from origins between
        the end of the part and each cutoff, as far apart as those at ``fit``; their errors are learned from as soon as
        their truth is known, and levels move with the misses. A cutoff inside the part sees what is known at its end.
        Errors are pooled as ``by`` says, so a table of fewer series teaches less.
    by : sequence of {"step", "bucket", "series"}
        What errors are told apart by: step ahead; density bucket of the series (targets that are no counts are one
        bucket); series. ``()`` pools all.
    window : int, optional
        Learn from the last ``window`` origins whose truth is known; from all by default.
    rate : float
        Step size of ``"adaptive"``.
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; the model's by default.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> ft.Conformal(ft.SeasonalES(h=24, season=24)).fit(panel).predict(panel)
    Forecast(SeasonalES: 1 origins x 24 steps x 1 targets, levels [80.0, 95.0])
    """

    quick: ClassVar[Mapping[str, object]] = {"model": {"SeasonalES": {}}}
    keeps = ("past", "calibration_", Calibration)

    def __init__(
        self,
        model: Member,
        method: Literal["split", "adaptive"] = "split",
        *,
        by: Sequence[str] = ("step", "bucket"),
        window: int | None = None,
        rate: float = 0.05,
        h: int | None = None,
        alias: str | None = None,
    ) -> None:
        check_settings(method, window, rate)
        given = (by,) if isinstance(by, str) else tuple(by)
        for part in given:
            if part not in BY:
                raise ConfigError(f"Errors cannot be told apart by {part!r}. {nearest(part, BY)}")
        super().__init__(model, h, alias=alias)
        self.method, self.window, self.rate = method, window, rate
        self.by = tuple(part for part in BY if part in given)
        self.reads_others |= method == "adaptive"  # what is learned after the fit comes from all series of a table
        self.calibration_: Calibration | None = None
        """Past forecasts and what came; None before fit."""

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        self.calibration_ = None
        super()._fit(part)
        season = int(main_season(part.train))
        past = self._past_forecasts(part.panel, season, tuple(GRID) if self.inner.has_distribution else ())
        found = Calibration.of(past, part.panel, season)
        known = int(found.usable.sum())
        if not known:
            raise DataError(
                f"{self.name}: no truth is known of any past forecast, so there are no errors to learn intervals from. "
                "Give series with values in the last 30 % of the part."
            )
        if known < FEWEST:
            warnings.warn(
                f"{self.name}: {known} past errors are known in all; intervals from fewer than {FEWEST} may be too "
                "narrow. Give longer series, or lower h.",
                UserWarning,
                stacklevel=3,
            )
        self.calibration_ = found

    # ---------------------------------------------------------------- forecasting
    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        past = self.calibration_
        assert past is not None
        if not quantiles:
            return self.inner._answer(panel, windows, (), traces)
        asked, weights = past.weights(quantiles)
        got = predict_within(self.inner, panel, windows, asked, traces)
        end = int(panel.grid.step_at_or_before(past.end))
        step = windows.steps(panel) - end
        now = np.maximum(step, 0) if self.method == "adaptive" else np.zeros_like(step)
        wanted = past.block(panel, windows, got, weights, now, False)
        blocks = [past.learned(weights), wanted]
        later = self._later(panel, end, int(step.max(initial=0))) if self.method == "adaptive" else None
        if later is not None and len(later):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what there is to say is said of the forecasts asked for
                made = predict_within(self.inner, panel, later, asked)
            blocks.append(past.block(panel, later, made, weights, later.steps(panel) - end, True))
        return replace(got, quantiles=self._corrected(blocks, quantiles))

    def _later(self, panel: Panel, end: int, newest: int) -> Windows:
        """Origins after the part and before the newest cutoff, ``newest`` steps after it, of entities known at fit."""
        past = self.calibration_
        assert past is not None
        behind = int(past.step.max())
        steps = end + np.arange(behind + past.stride * -(behind // past.stride), newest, past.stride)
        taught = past.rows(panel)
        chosen = np.flatnonzero(taught < len(past.ids))
        local = steps[None, :] - panel.first[chosen, None]
        entity, which = np.nonzero((local >= self.min_history - 1) & (local < panel.length[chosen, None]))
        return Windows(chosen[entity].astype(np.int64), local[entity, which])

    def _corrected(self, blocks: list[_Block], quantiles: Quantiles) -> Floats:
        """Quantiles of the second block, ``[W, H, D, Q]``; pooled further where too little is known."""
        past = self.calibration_
        assert past is not None
        together = _Block.joined(blocks)
        together = replace(together, unit=np.where(together.unit > 0, together.unit, np.nan))
        low = len(blocks[0].step)
        wanted = slice(low, low + len(blocks[1].step))
        known = together.series >= 0
        learns = np.ones(len(known), dtype=bool)
        learns[wanted] = False
        truth = np.where(known[:, None, :], together.truth, np.nan)
        # A series that has never moved is taken at its word: errors of others say nothing of it.
        still = np.broadcast_to((blocks[1].unit == 0)[:, None, :, None], blocks[1].own.shape)
        out = np.where(still, blocks[1].own, np.nan)
        for by, fewest in _poolings(self.by):
            strange = ~known if {"bucket", "series"} & set(by) else np.zeros_like(known)
            group, unit = together.groups(by), together.unit[:, None, :]
            found = rolling_conformal(
                truth, together.own, quantiles, together.step, group, unit, method=self.method, counts=past.counts,
                window=self.window, rate=self.rate, fewest=fewest, learns=learns,
            )[wanted]  # fmt: skip
            found[np.broadcast_to(strange[wanted][:, None, :], found.shape[:3])] = np.nan
            out = np.where(np.isnan(out), found, out)
            if not np.isnan(out[~np.isnan(blocks[1].own)]).any():
                break
        return np.where(np.isnan(out), blocks[1].own, out)

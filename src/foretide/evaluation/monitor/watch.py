"""A fitted model beside rows that came after its fit: whether it still does what it did, on data like those before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from foretide.data.time.seasons import main_season, seasons_of
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError
from foretide.evaluation.monitor import forecasts
from foretide.evaluation.monitor.checks import Check, with_alarms
from foretide.evaluation.monitor.forecasts import Judged
from foretide.evaluation.monitor.inputs import drift, faults, tables_of
from foretide.evaluation.monitor.report import MonitorReport
from foretide.forecasters.remembered import completed
from foretide.text import first_few, phrase

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Bools, Floats, Ints

ALPHA = 0.05
LONGEST = 1 << 40
"""Rows of the past to look at: all."""
FEW_BLOCKS = 4
"""Origins that a comparison with a backtest needs, on either side."""


def watch(
    model: Forecaster, panel: Panel, *, history: Panel | None = None, card: Scorecard | None = None,
    alpha: float = ALPHA, seed: int = 0,
) -> MonitorReport:  # fmt: skip
    """Look at rows that came after a fit.

    Parameters
    ----------
    model : Forecaster
        Fitted.
    panel : Panel
        With the new rows; earlier ones may be there too.
    history : Panel, optional
        The table that was fitted on, where the model remembers little of it.
    card : Scorecard, optional
        A backtest of the model, to compare errors with.
    alpha : float
        Probability of an alarm where nothing has changed, at most: half for the forecasts, half for the columns.
    seed : int
        Of the draws.

    Returns
    -------
    MonitorReport

    Raises
    ------
    ConfigError, DataError
        For an ``alpha`` that is no probability; for a table without rows after the fit.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha is a probability between 0 and 1, such as 0.05; got {alpha!r}.")
    until = model.fitted_step(panel)
    assert until is not None
    last = int((panel.first + panel.observed - 1).max())
    if last <= until:
        at, end = panel.grid.output_times([until, last])
        raise DataError(
            f"{model.name} was fitted until {at}, and this table ends at {end}: there is no new row to look at. "
            "Give a table with later rows."
        )
    joined, begin = _whole(model, panel, history)
    found = forecasts.judge(model, panel, until, seed=seed)
    notes = [f"The forecasts are not judged: {found}."] if isinstance(found, str) else list(found.notes)
    tests = [] if isinstance(found, str) else list(found.checks)
    if not isinstance(found, str) and card is not None:
        tests += _beside_backtest(found, card, model.name, notes)
    checks = _of_forecasts(tests, alpha / 2)
    columns, facts = _columns(joined, begin, notes)
    checks += with_alarms(columns, alpha / 2)
    checks += [*_series(model, panel, until), *facts, *_categories(model, panel)]
    first, end = panel.grid.output_times([until + 1, last])
    judged = None if isinstance(found, str) else found
    return MonitorReport(model.name, first, end, last - until, alpha, tuple(checks), judged, tuple(notes))


def _of_forecasts(checks: list[Check], alpha: float) -> list[Check]:
    """Raise the alarms of the forecasts: one family, adjusted already, and the backtest as another."""
    families = 1 + any(check.adjusted is None for check in checks)
    share = alpha / families
    return [
        replace(check, adjusted=check.p if check.adjusted is None else check.adjusted,
                alarm=(check.p if check.adjusted is None else check.adjusted or 0.0) <= share)
        for check in checks if check.p is not None
    ]  # fmt: skip


# -------------------------------------------------------------------- the past
def _whole(model: Forecaster, panel: Panel, history: Panel | None) -> tuple[Panel, int]:
    """Return the table with the rows before it that are known, as the model sees them, and the last step of the fit."""
    fitted = model._fitted
    assert fitted is not None
    bare, past = fitted.without_history(), fitted.history
    if history is not None:
        past = bare.view(history, Windows(np.arange(history.n_entities), history.observed - 1), model.h).panel
    view = bare.view(panel, Windows(np.arange(panel.n_entities), panel.observed - 1), model.h)
    # Rows before those that are remembered stay, which they do not where a model reads the whole past.
    whole = view.panel if past is None else completed(view.panel, view.windows, past, LONGEST)[0]
    until = model.fitted_step(whole)
    assert until is not None
    return whole.take(np.flatnonzero(whole.observed > 0)), until


def _columns(panel: Panel, until: int, notes: list[str]) -> tuple[list[Check], list[Check]]:
    """Return the checks of every column: those with a test, and facts."""
    begun = panel.take(np.flatnonzero(panel.first <= until))
    if not begun.n_entities:
        notes.append("The columns are not compared: no row from before the end of the fit is known.")
        return [], []
    main = main_season(begun.head(np.clip(until - begun.first + 1, 0, begun.length)))
    seasons = [main, *(season for season in reversed(seasons_of(begun.grid.freq)) if season < main), 1]
    tests: list[Check] = []
    facts: list[Check] = []
    alive = _alive(begun, until)
    for table in tables_of(begun, until):
        facts += faults(table, begun.ids, alive)
        tests += drift(table, seasons, begun.ids)
    if not tests:
        came = phrase("new step", table.values.shape[1] - table.new)
        notes.append(
            f"The columns are not compared with their past: {phrase('step', table.new)} of it are known, too few "
            f"beside {came}. Give the table that was fitted on: history=..."
        )
    return tests, facts


def _alive(panel: Panel, until: int) -> Bools:
    return np.asarray(panel.first + panel.observed - 1 > until)


# -------------------------------------------------------------------- series and categories
def _series(model: Forecaster, panel: Panel, until: int) -> list[Check]:
    """Return what is new among the series, and which of them say nothing any more."""
    fitted = model._fitted
    assert fitted is not None
    alive = {name for name, one in zip(panel.ids, _alive(panel, until), strict=True) if one}
    new = sorted(alive - set(fitted.ids))
    checks = []
    if new:
        text = f"{phrase('series|series', len(new))} not there at fit: {first_few([*map(repr, new)], 3)}"
        checks.append(Check("data", "new series", text, float(len(new)), 0.0))
    recent = set(fitted.ids)
    if fitted.history is not None:
        ends = fitted.history.first + fitted.history.observed - 1
        recent = {
            n for n, end in zip(fitted.history.ids, ends.tolist(), strict=True) if end >= int(ends.max()) - model.h
        }
    came = int((panel.first + panel.observed - 1).max()) - until
    silent = sorted(recent - alive)
    if silent and came >= model.h:
        text = f"{phrase('series|series', len(silent))} silent since the fit: {first_few([*map(repr, silent)], 3)}"
        checks.append(Check("data", "silent series", text, float(len(silent)), 0.0, alarm=True))
    return checks


def _categories(model: Forecaster, panel: Panel) -> list[Check]:
    view = model.view(panel, Windows(np.arange(panel.n_entities), panel.observed - 1))
    return [
        Check("data", f"{column}: new categories", f"{column}: {first_few([*map(repr, new)], 3)} not there at fit",
              float(len(new)), 0.0)
        for column, new in view.strange.items()
    ]  # fmt: skip


# -------------------------------------------------------------------- a backtest
def _beside_backtest(found: Judged, card: Scorecard, model: str, notes: list[str]) -> list[Check]:
    """Compare absolute errors with those of a backtest, origin by origin, in units of each series there."""
    name = model if model in card.forecasts else None
    if name is None:
        notes.append(f"The backtest holds no {model}, so errors are not compared with it: {', '.join(card.models)}.")
        return []
    past = np.abs(card.truth - card.forecasts[name])
    unit = _by_entity(past, card.windows.entity, card.panel.n_entities)
    where = {series: k for k, series in enumerate(card.panel.ids)}
    rows = np.array([where.get(found.forecast.panel.ids[i], -1) for i in found.forecast.windows.entity])
    if not (rows >= 0).any():
        notes.append("The backtest holds none of these series, so errors are not compared with it.")
        return []
    order = [list(card.panel.targets).index(t) for t in found.forecast.panel.targets]
    error = np.abs(found.truth - found.forecast.mean)[rows >= 0]
    now = _by_origin(error / unit[rows[rows >= 0]][:, None, order], found.forecast.cutoff_steps[rows >= 0])
    before = _by_origin(past / unit[card.windows.entity][:, None], card.windows.steps(card.panel))
    ratio = float(np.mean(now) / np.mean(before))
    text = f"errors are {ratio:.2f} times those of the backtest ({len(now)} origins beside {len(before)})"
    if min(len(now), len(before)) < FEW_BLOCKS:
        notes.append(f"{text[0].upper()}{text[1:]}; with so few origins that is not tested.")
        return []
    return [Check("forecast", "errors beside the backtest's", text, ratio, 1.0, _welch(np.log(now), np.log(before)))]


def _by_entity(error: Floats, entity: Ints, n: int) -> Floats:
    known = np.isfinite(error)
    total, count = np.zeros((n, error.shape[2])), np.zeros((n, error.shape[2]))
    np.add.at(total, entity, np.where(known, error, 0).sum(axis=1))
    np.add.at(count, entity, known.sum(axis=1))
    return np.asarray(np.where((count > 0) & (total > 0), total / np.maximum(count, 1), np.nan))


def _by_origin(error: Floats, steps: Ints) -> Floats:
    """Return the mean of each origin that has one, oldest first."""
    _, at = np.unique(steps, return_inverse=True)
    known = np.isfinite(error)
    total = np.bincount(at, np.where(known, error, 0).sum(axis=(1, 2)))
    count = np.bincount(at, known.sum(axis=(1, 2)))
    kept = (count > 0) & (total > 0)
    return np.asarray(total[kept] / count[kept])


def _welch(new: Floats, old: Floats) -> float:
    """Return the one-sided p-value that new means are larger, with fewer degrees of freedom where neighbours agree."""
    size = [len(values) / _inflation(values) for values in (new, old)]
    part = [max(float(v.var(ddof=1)), 1e-12) / n for v, n in zip((new, old), size, strict=True)]
    freedom = sum(part) ** 2 / sum(p**2 / max(n - 1, 1) for p, n in zip(part, size, strict=True))
    return float(student.sf((new.mean() - old.mean()) / np.sqrt(sum(part)), max(freedom, 1)))


def _inflation(values: Floats) -> float:
    """Return by how much a positive correlation of neighbours widens the variance of a mean."""
    away = values - values.mean()
    total = float(away @ away)
    rho = 0.0 if total <= 0 else float(np.clip(away[1:] @ away[:-1] / total, 0.0, 0.9))
    return (1 + rho) / (1 - rho)

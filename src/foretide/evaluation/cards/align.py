"""The same windows and points for every model: what can be compared, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.counts import density
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.metrics.points import TrainingScale
from foretide.evaluation.metrics.quantiles import LEAST_DENSE, Quantiles
from foretide.forecasters.forecast import Forecast, all_quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel

    Floats = NDArray[np.float64]

ORACLE = "oracle"


def named_forecasts(forecasts: list[Forecast], oracle: Forecast | NDArray[np.floating] | None) -> dict[str, Forecast]:
    """Return the forecasts by model, the oracle last, after a check that they can be compared."""
    if not forecasts:
        raise ConfigError("There is no forecast to score. Give at least one: score([model.predict(panel, cutoffs)])")
    named, first = {forecast.model: forecast for forecast in forecasts}, forecasts[0]
    if len(named) < len(forecasts) or ORACLE in named:
        raise ConfigError(f"Every model needs a name of its own, not 'oracle'; got {[f.model for f in forecasts]}.")
    if oracle is not None:
        named[ORACLE] = oracle if isinstance(oracle, Forecast) else _as_forecast(oracle, first)
    for name, forecast in named.items():
        if forecast.mean.shape[1:] != first.mean.shape[1:]:
            raise ConfigError(
                f"{name} forecasts {forecast.mean.shape[1]} steps of {forecast.mean.shape[2]} targets, "
                f"{first.model} {first.mean.shape[1]} of {first.mean.shape[2]}; they must agree."
            )
    return named


def _start_of(panel: Panel) -> Any:
    """Return the time of step 0 as the user knows it."""
    return panel.grid.output_times([0])[0]


def _as_forecast(oracle: Any, like: Forecast) -> Forecast:
    mean = np.asarray(oracle, dtype=np.float64)
    if mean.shape != like.mean.shape:
        raise ConfigError(f"The oracle has shape {mean.shape}; {like.model} has {like.mean.shape}. They must agree.")
    return Forecast(ORACLE, like.panel, like.windows, mean)


def oracle_forecast(
    truth: Any, panel: Panel, windows: Windows, h: int, levels: Sequence[float], quantiles: Sequence[float]
) -> Forecast | None:
    """Return the best forecast possible of a synthetic series, with quantiles where known; None without a truth.

    Parameters
    ----------
    truth : object or None
        Has ``oracle(cutoff steps, h)``, and maybe ``oracle_quantiles(cutoff steps, h, quantiles)``.
    """
    if truth is None:
        return None
    steps = windows.steps(panel)
    # Truths of several entities need to know whose cutoff it is.
    sites = {"site": [panel.ids[int(i)] for i in windows.entity]} if hasattr(truth, "sites") else {}
    mean = truth.oracle(steps, h, **sites)
    if not hasattr(truth, "oracle_quantiles"):
        return Forecast(ORACLE, panel, windows, mean)
    wanted = all_quantiles(levels, quantiles)
    found = truth.oracle_quantiles(steps, h, wanted, **sites)
    return Forecast(ORACLE, panel, windows, mean, tuple(levels), wanted, found)


def baseline_names(given: Sequence[str] | None, named: dict[str, Forecast]) -> tuple[str, ...]:
    """Return the names of the baselines: those given, after a check, or those whose forecasts say so."""
    if given is None:
        return tuple(name for name, forecast in named.items() if forecast.baseline and name != ORACLE)
    for name in given:
        if name not in named or name == ORACLE:
            raise ConfigError(f"The baseline {name!r} was not among the forecasts. {nearest(name, named)}")
    return tuple(given)


def shared_windows(named: dict[str, Forecast], panel: Panel) -> tuple[Windows, dict[str, NDArray[np.int64]], list[str]]:
    """Return the windows all forecasts have, where they stand in each, and what was left out."""
    keys = {name: _keys(forecast, panel) for name, forecast in named.items()}
    shared = None
    for own in keys.values():
        shared = own if shared is None else np.intersect1d(shared, own)
    if shared is None or not len(shared):
        raise DataError(
            f"The models {list(named)} share no window (series and cutoff). Predict all of them at the same cutoffs."
        )
    shared = np.unique(shared)
    chosen, notes = {}, []
    for name, own in keys.items():
        order = np.argsort(own, kind="stable")
        chosen[name] = order[np.searchsorted(own[order], shared)]
        if len(own) > len(shared):
            less = len(own) - len(shared)
            notes.append(f"{less} of {len(own)} windows of {name} left out: not every model forecast them.")
    entity, step = np.divmod(shared, _FAR)
    return Windows(entity, step - _FAR // 2 - panel.first[entity]), chosen, notes


_FAR = np.int64(2**40)


def _keys(forecast: Forecast, panel: Panel) -> NDArray[np.int64]:
    """One number for each (entity, cutoff) in the terms of ``panel``, ``[N]``."""
    theirs = forecast.panel
    if theirs.targets != panel.targets or theirs.grid.freq != panel.grid.freq:
        raise DataError(
            f"{forecast.model} forecast {list(theirs.targets)} every {theirs.grid.freq}; "
            f"the panel has {list(panel.targets)} every {panel.grid.freq}. Score it on the panel it belongs to."
        )
    where = np.array([panel.entity(name) for name in theirs.ids], dtype=np.int64)
    shift = 0
    if theirs.grid.start != panel.grid.start:
        shift = panel.grid.step_of(_start_of(theirs))
    return np.asarray(where[forecast.windows.entity] * _FAR + forecast.cutoff_steps + shift + _FAR // 2)


def countable(panel: Panel, windows: Windows, means: dict[str, Floats]) -> tuple[Floats, list[str]]:
    """Return the truth, NaN where a point does not count for all models, and what was left out."""
    shape = next(iter(means.values())).shape
    truth = np.array(Forecast("", panel, windows, np.zeros(shape)).truth())
    observed, notes = ~np.isnan(truth), []
    if not observed.all():
        notes.append(f"{int((~observed).sum())} of {truth.size} points left out: their truth is not observed.")
    for name, mean in means.items():
        empty = int((np.isnan(mean) & observed).sum())
        if empty:
            notes.append(f"{empty} of {int(observed.sum())} observed points left out: {name} has no forecast there.")
            truth[np.isnan(mean)] = np.nan
    if np.isnan(truth).all():
        raise DataError("No point is left to score. " + " ".join(notes))
    return truth, notes


def scale_notes(scale: TrainingScale, panel: Panel, truth: Floats, windows: Windows) -> list[str]:
    """Say which series and points scaled measures leave out."""
    notes = []
    scored = {panel.series_name(int(i), d) for i in np.unique(windows.entity) for d in range(panel.n_targets)}
    for reason, names in scale.dropped.items():
        hit = [name for name in names if name in scored]
        if hit:
            notes.append(f"{len(hit)} of {len(scored)} series left out of MASE and RMSSE ({_some(hit)}): {reason}.")
    counted = ~np.isnan(truth)
    small = counted & ~(np.abs(np.where(counted, truth, 1.0)) > scale.near_zero[windows.entity][:, None, :])
    if small.any():
        notes.append(f"{int(small.sum())} of {int(counted.sum())} points left out of MAPE: their truth is near zero.")
    return notes


def _some(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def shared_distributions(
    named: dict[str, Forecast], chosen: dict[str, NDArray[np.int64]], truth: Floats
) -> tuple[dict[str, Quantiles], Floats, list[str]]:
    """Return the distributions of the models that have one, and the truth where every one of them is whole.

    Returns
    -------
    distributions : dict
        Model -> quantiles ``[N, H, D, Q]``.
    truth : float array ``[N, H, D]``
        NaN, beside where it was, where some distribution holds a NaN.
    notes : list of str
        What was left out.
    """
    distributions, notes, whole = {}, [], ~np.isnan(truth)
    for name, forecast in named.items():
        if forecast.quantiles is None or not forecast.quantile_levels:
            continue
        own = chosen[name]
        same = len(own) == len(forecast) and np.array_equal(own, np.arange(len(own)))
        values, levels = forecast.quantiles if same else forecast.quantiles[own], forecast.quantile_levels
        held = np.atleast_1d(~np.isnan(values).all(axis=(0, 1, 2)))
        if held.any() and not held.all():  # quantiles beyond what a distribution holds are none of it
            values, levels = values[..., held], tuple(q for q, known in zip(levels, held, strict=True) if known)
        empty = np.asarray(np.isnan(values).any(axis=-1))
        if empty[whole].all():
            notes.append(f"{name} has no quantiles on the points scored, so its distribution is not scored.")
            continue
        if (empty & whole).any():
            lost, of = int((empty & whole).sum()), int(whole.sum())
            notes.append(
                f"{lost} of {of} points left out of the measures of distributions: {name} has no quantiles there."
            )
            whole = whole & ~empty
        distributions[name] = Quantiles(tuple(levels), values)
    return distributions, np.where(whole, truth, np.nan), notes


def dense_grid(distributions: dict[str, Quantiles]) -> tuple[tuple[float, ...], list[str]]:
    """Return the levels that all dense grids share, for CRPS; empty where there is no such grid, and say so."""
    dense = {
        name: distribution for name, distribution in distributions.items() if len(distribution.levels) >= LEAST_DENSE
    }
    if not dense:
        return (), []
    first = next(iter(dense.values()))
    grid = tuple(
        level for level in first.levels if all(distribution.holds((level,)) for distribution in dense.values())
    )
    if len(grid) < LEAST_DENSE:
        return (), [f"No CRPS: the grids of {_some(list(dense))} share only {len(grid)} levels of {LEAST_DENSE}."]
    sparse = [name for name in distributions if name not in dense]
    if not sparse:
        return grid, []
    return grid, [f"No CRPS for {_some(sparse)}: fewer than {LEAST_DENSE} quantile levels, which would be too high."]


def nonzero_rates(panel: Panel, train: Panel) -> Floats:
    """Nonzero rates of the training part in the panel's order of entities, ``[N, D]``; 0 for an entity not in it."""
    found, rates = density(train), np.zeros((panel.n_entities, panel.n_targets))
    where = {name: i for i, name in enumerate(train.ids)}
    for i, name in enumerate(panel.ids):
        if name in where:
            rates[i] = found[where[name]]
    return rates


def first_cutoffs(panel: Panel, windows: Windows) -> NDArray[np.int64]:
    """Row of each entity's first cutoff, ``[N]``; of the first of all for an entity without any."""
    rows = int(windows.steps(panel).min()) - panel.first
    first = np.full(panel.n_entities, np.iinfo(np.int64).max)
    np.minimum.at(first, windows.entity, windows.cutoff)
    return np.where(first < np.iinfo(np.int64).max, first, rows)

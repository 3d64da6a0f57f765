"""The same windows and points for every model: what can be compared, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.counts import density
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError, nearest
from foretide.evaluation.cards.distributions import Distributions
from foretide.evaluation.metrics.quantiles import LEAST_DENSE, Quantiles
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.levels import all_quantiles
from foretide.text import first_few

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.synthetic.base import Truth
    from foretide.evaluation.metrics.scale import TrainingScale
    from foretide.typing import Floats, Ints, Json, Reals

ORACLE = "oracle"
_FAR = np.int64(2**40)


def named_forecasts(forecasts: Sequence[Forecast], oracle: Forecast | Reals | None) -> dict[str, Forecast]:
    """Return the forecasts by model, the oracle last, after a check that they can be compared.

    Parameters
    ----------
    forecasts : sequence of Forecast
    oracle : Forecast or float array ``[N, H, D]``, optional
        An array goes with the windows of the first forecast.

    Returns
    -------
    dict
        Model -> forecast.

    Raises
    ------
    ConfigError
        For no forecasts, two of one name, or shapes that differ.
    """
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


def _as_forecast(oracle: Reals, like: Forecast) -> Forecast:
    mean = np.asarray(oracle, dtype=np.float64)
    if mean.shape != like.mean.shape:
        raise ConfigError(f"The oracle has shape {mean.shape}; {like.model} has {like.mean.shape}. They must agree.")
    return Forecast(ORACLE, like.panel, like.windows, mean)


def oracle_forecast(
    truth: Truth | None, panel: Panel, windows: Windows, h: int, levels: Sequence[float], quantiles: Sequence[float]
) -> Forecast | None:
    """Return the best forecast possible of a synthetic series, with quantiles where known.

    Parameters
    ----------
    truth : object or None
        Has ``oracle(cutoff steps, h)``, and maybe ``oracle_quantiles(cutoff steps, h, quantiles)``; both with
        ``site=`` where it has several ``sites``.
    panel : Panel
    windows : Windows
    h : int
    levels, quantiles : sequence of float
        Central levels in percent, and further quantiles as fractions.

    Returns
    -------
    Forecast or None
        None without a truth.
    """
    if truth is None:
        return None
    steps = windows.steps(panel)
    # Truths of several entities need to know whose cutoff it is.
    sites: Json = {"site": [panel.ids[int(i)] for i in windows.entity]} if hasattr(truth, "sites") else {}
    mean = truth.oracle(steps, h, **sites)
    of_quantiles = getattr(truth, "oracle_quantiles", None)
    if of_quantiles is None:
        return Forecast(ORACLE, panel, windows, mean)
    wanted = all_quantiles(levels, quantiles)
    return Forecast(ORACLE, panel, windows, mean, tuple(levels), wanted, of_quantiles(steps, h, wanted, **sites))


def baseline_names(names: Sequence[str] | None, named: Mapping[str, Forecast]) -> tuple[str, ...]:
    """Return the names of the baselines: those asked for, after a check, or those whose forecasts say so.

    Parameters
    ----------
    names : sequence of str, optional
    named : mapping
        Model -> forecast.

    Returns
    -------
    tuple of str

    Raises
    ------
    ConfigError
        For a name without a forecast.
    """
    if names is None:
        return tuple(name for name, forecast in named.items() if forecast.baseline and name != ORACLE)
    for name in names:
        if name not in named or name == ORACLE:
            raise ConfigError(f"The baseline {name!r} was not among the forecasts. {nearest(name, named)}")
    return tuple(names)


def shared_windows(named: Mapping[str, Forecast], panel: Panel) -> tuple[Windows, dict[str, Ints], list[str]]:
    """Return the windows that all forecasts have.

    Parameters
    ----------
    named : mapping
        Model -> forecast.
    panel : Panel
        In whose terms windows are counted.

    Returns
    -------
    windows : Windows
        ``N`` of them.
    places : dict
        Model -> where they stand in its forecast ``[N]``.
    notes : list of str
        What was left out.

    Raises
    ------
    DataError
        When there is none, or a forecast does not belong to the panel.
    """
    keys = {name: _keys(forecast, panel) for name, forecast in named.items()}
    first, *others = keys.values()
    shared = np.unique(first)
    for own in others:
        shared = shared if np.array_equal(own, first) else np.intersect1d(shared, own)
    if not len(shared):
        raise DataError(
            f"The models {list(named)} share no window (series and cutoff). Predict all of them at the same cutoffs."
        )
    places, notes = {}, []
    for name, own in keys.items():
        order = np.argsort(own, kind="stable")
        places[name] = order[np.searchsorted(own[order], shared)]
        if len(own) > len(shared):
            less = len(own) - len(shared)
            notes.append(f"{less} of {len(own)} windows of {name} left out: not every model forecast them.")
    entity, step = np.divmod(shared, _FAR)
    return Windows(entity, step - _FAR // 2 - panel.first[entity]), places, notes


def _keys(forecast: Forecast, panel: Panel) -> Ints:
    """One number for each (entity, cutoff) in the terms of ``panel``, ``[N]``."""
    theirs = forecast.panel
    if theirs.targets != panel.targets or theirs.grid.freq != panel.grid.freq:
        raise DataError(
            f"{forecast.model} forecast {list(theirs.targets)} every {theirs.grid.freq}; "
            f"the panel has {list(panel.targets)} every {panel.grid.freq}. Score it on the panel it belongs to."
        )
    where = np.array([panel.entity(name) for name in theirs.ids], dtype=np.int64)
    same = theirs.grid.start == panel.grid.start
    shift = 0 if same else panel.grid.step_of(theirs.grid.output_times([0])[0])
    return np.asarray(where[forecast.windows.entity] * _FAR + forecast.cutoff_steps + shift + _FAR // 2)


def countable(panel: Panel, windows: Windows, means: Mapping[str, Floats]) -> tuple[Floats, list[str]]:
    """Return the truth of the points that count for all models.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    means : mapping
        Model -> mean forecasts ``[N, H, D]``.

    Returns
    -------
    truth : float array ``[N, H, D]``
        NaN where a point does not count.
    notes : list of str
        What was left out.

    Raises
    ------
    DataError
        When no point is left.
    """
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
    """Say which series and points scaled metrics leave out.

    Parameters
    ----------
    scale : TrainingScale
    panel : Panel
    truth : float array ``[N, H, D]``
    windows : Windows

    Returns
    -------
    list of str
    """
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


def _some(names: Sequence[str]) -> str:
    return first_few([repr(name) for name in names], 3)


def shared_distributions(
    named: Mapping[str, Forecast], places: Mapping[str, Ints], truth: Floats
) -> tuple[Distributions, list[str]]:
    """Return the distributions of the models that have one, and the points where every one of them is whole.

    Parameters
    ----------
    named : mapping
        Model -> forecast.
    places : mapping
        Model -> windows scored ``[N]``.
    truth : float array ``[N, H, D]``

    Returns
    -------
    distributions : Distributions
    notes : list of str
        What was left out.
    """
    quantiles: dict[str, Quantiles] = {}
    notes, whole = [], ~np.isnan(truth)
    for name, forecast in named.items():
        if forecast.quantiles is None or not forecast.quantile_levels:
            continue
        own = places[name]
        same = len(own) == len(forecast) and np.array_equal(own, np.arange(len(own)))
        values, levels = forecast.quantiles if same else forecast.quantiles[own], forecast.quantile_levels
        known = np.atleast_1d(~np.isnan(values).all(axis=(0, 1, 2)))
        if known.any() and not known.all():  # quantiles beyond what a distribution holds are none of it
            values, levels = values[..., known], tuple(q for q, there in zip(levels, known, strict=True) if there)
        empty = np.asarray(np.isnan(values).any(axis=-1))
        if empty[whole].all():
            notes.append(f"{name} has no quantiles on the points scored, so its distribution is not scored.")
            continue
        lost = int((empty & whole).sum())
        if lost:
            notes.append(
                f"{lost} of {int(whole.sum())} points left out of the measures of distributions: {name} has no "
                "quantiles there."
            )
            whole = whole & ~empty
        quantiles[name] = Quantiles(tuple(levels), values)
    grid, of_grid = _dense_grid(quantiles)
    scored = [named[name] for name in quantiles]
    reported = sorted({level for forecast in scored for level in forecast.levels})
    columns = sorted({q for forecast in scored for q in forecast.quantile_columns})
    judged = np.where(whole, truth, np.nan)
    return Distributions(judged, quantiles, tuple(reported), grid, tuple(columns)), [*notes, *of_grid]


def _dense_grid(distributions: Mapping[str, Quantiles]) -> tuple[tuple[float, ...], list[str]]:
    """Return the levels that all dense grids share, for CRPS; empty where there is no such grid, and say so."""
    dense = {name: own for name, own in distributions.items() if len(own.levels) >= LEAST_DENSE}
    if not dense:
        return (), []
    first = next(iter(dense.values()))
    grid = tuple(level for level in first.levels if all(own.holds((level,)) for own in dense.values()))
    if len(grid) < LEAST_DENSE:
        return (), [f"No CRPS: the grids of {_some(list(dense))} share only {len(grid)} levels of {LEAST_DENSE}."]
    sparse = [name for name in distributions if name not in dense]
    if not sparse:
        return grid, []
    return grid, [f"No CRPS for {_some(sparse)}: fewer than {LEAST_DENSE} quantile levels, which would be too high."]


def nonzero_rates(panel: Panel, train: Panel) -> Floats:
    """Return the nonzero rates of the training part.

    Parameters
    ----------
    panel, train : Panel
        The panel scored, in whose order of entities they are; its training part.

    Returns
    -------
    float array ``[N, D]``
        0 for an entity that is not in the training part.
    """
    of_train, rates = density(train), np.zeros((panel.n_entities, panel.n_targets))
    where = {name: i for i, name in enumerate(train.ids)}
    for i, name in enumerate(panel.ids):
        if name in where:
            rates[i] = of_train[where[name]]
    return rates


def first_cutoffs(panel: Panel, windows: Windows) -> Ints:
    """Return the row of each entity's first cutoff.

    Parameters
    ----------
    panel : Panel
    windows : Windows

    Returns
    -------
    int array ``[entities]``
        That of the first of all for an entity without any.
    """
    rows = int(windows.steps(panel).min()) - panel.first
    first = np.full(panel.n_entities, np.iinfo(np.int64).max)
    np.minimum.at(first, windows.entity, windows.cutoff)
    return np.where(first < np.iinfo(np.int64).max, first, rows)

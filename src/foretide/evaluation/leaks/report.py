"""What a check for leaks found, in words that say where to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.errors import ConfigError, LeakageError
from foretide.evaluation.leaks.poison import POISONS
from foretide.text import time_text

if TYPE_CHECKING:
    from foretide.forecasters.forecast import Forecast
    from foretide.typing import Floats, Time

STAGES = ("control", "fit", "predict", "joint", "order", "memory")
ROUNDING = 1e-4
"""What forecasts may differ by, as a share of the largest, where the same numbers lie elsewhere in memory."""
SHOWN = 3
"""Findings of a stage that the text names; all are in ``LeakReport.findings``."""

_HEADS = {
    "control": "Control: two fits on the same clean data until {until}.",
    "fit": "Fit until {until}, values after it poisoned; forecasts made on clean data.",
    "predict": "Predict from one cutoff, values after it poisoned.",
    "joint": "Predict from several cutoffs in one pass, values after an earlier one poisoned.",
    "order": "Predict from all cutoffs at once, and from one after the other in random order.",
    "memory": "Predict before any later value was shown to the code, and again after it was.",
}
_EXPECTED = {
    "control": "the same forecast from both, so that a change can be told from chance.",
    "fit": "the same forecast, because a fit may learn from steps up to `until` only.",
    "predict": "the same forecast, because nothing after the cutoff is known but the known-future columns.",
    "joint": "the same forecasts from the earlier cutoffs, whatever later cutoffs may know.",
    "order": "the same forecasts but for rounding: a cutoff's does not depend on what else is asked, or was.",
    "memory": "the same forecasts: what the code has seen elsewhere is not known at the cutoff.",
}
_LOOK = {
    "control": (
        "random numbers without a seed: give the model one (seed=1), or use a single thread. Where only rounding "
        "differs, type tolerance=1e-6."
    ),
    "fit": (
        "what fit computes from whole columns: scalers, means, densities, calendar and holiday factors, bounds, the "
        "choice of settings, early stopping. The series of a panel share one array, so `panel.values` holds later "
        "rows too; read panel.until(until).rows(i)."
    ),
    "predict": (
        "rows that predict reads. The last one allowed is windows.rows(panel); a row after it, or a mean or scale "
        "of panel.values as a whole, is the future."
    ),
    "joint": (
        "what predict computes once for all cutoffs: a scale, a filter or a filled gap over all rows up to the "
        "latest cutoff. Each cutoff needs its own."
    ),
    "order": (
        "what predict keeps on the model from one call to the next, and what it computes from the set of cutoffs: "
        "their number, the first, the last."
    ),
    "memory": (
        "state outside the model: attributes of its class, globals of its module, caches (lru_cache) and files. Keep "
        "what fit learns on the model."
    ),
}


@dataclass(frozen=True)
class Finding:
    """One way in which forecasts changed that had to stay the same.

    Attributes
    ----------
    stage : {"control", "fit", "predict", "joint", "order", "memory"}
    poison : str
        What the later values were replaced by; empty where clean forecasts are compared.
    cutoff : time
        Origin of the forecast that changed most; where the model failed, the time after which the values were poisoned.
    series : str, optional
        The series whose forecast changed most.
    step : int, optional
        First horizon step that changed, counted from 1, in any series.
    change : float, optional
        Largest change of a mean or quantile; infinite where a forecast became missing.
    touched, compared : int
        Series that changed, and series looked at.
    error : str, optional
        What the model failed with on poisoned data.
    """

    stage: str
    poison: str
    cutoff: Time | None
    series: str | None = None
    step: int | None = None
    change: float | None = None
    touched: int = 0
    compared: int = 0
    error: str | None = None

    def to_text(self) -> str:
        """Say what happened, in one sentence.

        Returns
        -------
        str
        """
        start = f"With {POISONS[self.poison]} ('{self.poison}'): " if self.poison else ""
        if self.error is not None:
            after = f" where these come after {time_text(self.cutoff)}" if self.poison else ""
            return f"{start}the model does not answer as before{after}: {self.error}"
        assert self.change is not None
        size = f"by up to {self.change:.3g}" if np.isfinite(self.change) else "to or from a missing or infinite value"
        return (
            f"{start}the forecast of {self.series!r} from {time_text(self.cutoff)} changes {size}; "
            f"first at step {self.step}; {self.touched} of {self.compared} series are touched."
        )


@dataclass(frozen=True)
class LeakReport:
    """What :func:`foretide.evaluation.leaks.check.check_leaks` found.

    Attributes
    ----------
    model : str
    until : time
        Last step of the fits.
    cutoffs : tuple of times
        Forecast origins, oldest first.
    poisons : tuple of str
    tolerance : float
    findings : tuple of Finding
        Empty for an honest model.
    notes : tuple of str
        What could not be judged.
    """

    model: str
    until: Time
    cutoffs: tuple[Time, ...]
    poisons: tuple[str, ...]
    tolerance: float = 0.0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the model could be judged and no leak was found."""
        return not self.findings

    @property
    def deterministic(self) -> bool:
        """Whether two fits on the same data forecast the same; otherwise nothing else could be judged."""
        return all(finding.stage != "control" for finding in self.findings)

    def to_text(self) -> str:
        """Say what was found, what was expected, where to look, and what was checked.

        Returns
        -------
        str
        """
        lines = [self._verdict()]
        for stage in STAGES:
            changes = [finding for finding in self.findings if finding.stage == stage]
            if changes:
                lines += ["", _HEADS[stage].format(until=time_text(self.until))]
                lines += [f"  {finding.to_text()}" for finding in changes[:SHOWN]]
                lines += [f"  ... and {len(changes) - SHOWN} more of this kind."] if len(changes) > SHOWN else []
                lines += [f"  Expected: {_EXPECTED[stage]}", f"  Look at: {_LOOK[stage]}"]
        lines += ["", *self.notes, self._checked()] if self.findings else [*self.notes, self._checked()]
        return "\n".join(lines)

    def raise_if_leaking(self) -> None:
        """Raise an error unless the model was judged and is honest.

        Raises
        ------
        LeakageError
            For a leak.
        ConfigError
            For a model that cannot be judged.
        """
        if self.ok:
            return
        raise (LeakageError if self.deterministic else ConfigError)(self.to_text())

    def _verdict(self) -> str:
        if self.ok:
            return f"{self.model}: no leak found."
        if not self.deterministic:
            return f"{self.model} cannot be judged: it is not deterministic."
        return f"{self.model} leaks: its forecasts depend on values it cannot have when it forecasts."

    def _checked(self) -> str:
        first, last, until = time_text(self.cutoffs[0]), time_text(self.cutoffs[-1]), time_text(self.until)
        origins = f"the cutoff {first}" if first == last else f"{len(self.cutoffs)} cutoffs from {first} to {last}"
        if not self.deterministic:
            return f"Checked: two fits until {until}, forecasts from it and from {origins}. Nothing was poisoned."
        equal = (
            "equal to the bit" if self.tolerance == 0 else f"equal within {self.tolerance:g} of the largest forecast"
        )
        if "truncated" in self.poisons and self.tolerance < ROUNDING:
            equal += f" (within {ROUNDING:g} of the largest where rows were cut off or more cutoffs asked at once)"
        return (
            f"Checked: a fit until {until} and forecasts from {origins}, each with all later values of targets "
            f"and past columns poisoned ({', '.join(self.poisons)}); forecasts had to be {equal}."
        )


def difference(
    clean: Forecast, other: Forecast, tolerance: float, stage: str, poison: str, cutoff: Time | None = None
) -> Finding | None:
    """Return what differs between two forecasts that should be equal; None where nothing does.

    Means and quantiles count, and NaN equals NaN.

    Parameters
    ----------
    clean, other : Forecast
    tolerance : float
        Share of the largest clean forecast of a series that counts as rounding.
    stage, poison : str
        Of the finding.
    cutoff : time, optional
        Of the finding, where the forecasts cannot be compared.

    Returns
    -------
    Finding or None
    """
    a, b = _answers(clean), _answers(other)
    if _origins(clean) != _origins(other) or a.shape != b.shape:
        text = f"{len(b)} forecasts of shape {list(b.shape[1:])} where there were {len(a)} of {list(a.shape[1:])}"
        return Finding(stage, poison, cutoff, error=text)
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    change = np.where(np.isnan(change), np.inf, change).max(axis=-1)
    touched = change > tolerance * _scale(clean, a)
    if not touched.any():
        return None
    n, step, d = (int(k) for k in np.unravel_index(np.argmax(np.where(touched, change, -1.0)), change.shape))
    entity, panel = clean.windows.entity, clean.panel
    return Finding(
        stage,
        poison,
        panel.grid.output_times(clean.cutoff_steps[n : n + 1])[0],
        series=panel.series_name(int(entity[n]), d),
        step=int(np.flatnonzero(touched.any(axis=(0, 2)))[0]) + 1,
        change=float(change[n, step, d]),
        touched=len({(int(entity[i]), int(k)) for i, _, k in np.argwhere(touched)}),
        compared=change.shape[2] * len(np.unique(entity)),
    )


def _answers(forecast: Forecast) -> Floats:
    """Mean and quantiles side by side, ``[N, H, D, 1 + Q]``."""
    mean = np.asarray(forecast.mean, dtype=np.float64)[..., None]
    if forecast.quantiles is None:
        return mean
    return np.concatenate([mean, np.asarray(forecast.quantiles, dtype=np.float64)], axis=-1)


def _origins(forecast: Forecast) -> list[tuple[str, int]]:
    names = [forecast.panel.ids[i] for i in forecast.windows.entity]
    return list(zip(names, forecast.cutoff_steps.tolist(), strict=True))


def _scale(clean: Forecast, answers: Floats) -> Floats:
    """Largest finite forecast of each window's series, ``[N, 1, D]``."""
    size = np.where(np.isfinite(answers), np.abs(answers), 0.0).max(axis=(1, 3))
    entity = clean.windows.entity
    largest = np.zeros((clean.panel.n_entities, size.shape[1]))
    np.maximum.at(largest, entity, size)
    return largest[entity][:, None, :]

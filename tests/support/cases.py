"""Small panels, and every forecaster with small settings, for the tests that hold for all of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from foretide.data.panel import Panel
from foretide.data.time.grid import Grid
from foretide.forecasters.base import Forecaster
from foretide.forecasters.table import FORECASTERS, forecaster_class

SEASON = 7


def make_panel(
    lengths: Sequence[int] = (120,),
    *,
    targets: int = 1,
    past: int = 0,
    future: int = 0,
    first: Sequence[int] | None = None,
    missing: float = 0.0,
    ahead: int = 0,
    seed: int = 0,
    whole: bool = False,
) -> Panel:
    """Return daily series with a weekly season, coupled channels and some noise, all around 20.

    ``missing`` is the share of empty targets and past cells; the last ``ahead`` rows hold known-future values only.
    ``whole``: targets are whole numbers, so that heads of counts can be among the cases.
    """
    rng = np.random.default_rng(seed)
    rows = int(sum(lengths))
    steps = np.concatenate([np.arange(n) for n in lengths])
    columns = targets + past + future
    week = np.sin(2 * np.pi * steps[:, None] / SEASON + np.arange(columns))
    values = 20.0 + 3.0 * week + rng.normal(size=(rows, columns)) + 0.5 * np.roll(week, 1, axis=1)
    if missing:
        holes = rng.random((rows, targets + past)) < missing
        holes[np.cumsum(lengths) - 1] = False
        values[:, : targets + past][holes] = np.nan
    if whole:
        values[:, :targets] = np.rint(values[:, :targets])
    for end in np.cumsum(lengths):
        values[end - ahead : end, : targets + past] = np.nan
    ids = ("",) if len(lengths) == 1 else tuple(f"shop{i}" for i in range(len(lengths)))
    row0 = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return Panel(
        Grid(pd.Timestamp("2023-01-02"), "D"),
        ids,
        values,
        row0,
        np.array(lengths, dtype=np.int64),
        np.array(first if first is not None else [0] * len(lengths), dtype=np.int64),
        tuple(f"y{d}" for d in range(targets)),
        tuple(f"p{d}" for d in range(past)),
        tuple(f"f{d}" for d in range(future)),
    )


def times(panel: Panel, steps: Sequence[int]) -> list[Any]:
    """Return the times of grid steps, as a list of cutoffs."""
    return list(panel.grid.output_times(np.array(steps)))


def _named(name: str, **settings: Any) -> Callable[[int], Forecaster]:
    return lambda h: forecaster_class(name)(h=h, **settings)


_NEURAL = {"input_size": 14, "hidden": 8, "epochs": 1, "device": "cpu"}
_SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "Persistence": ("Persistence", {}),
    "SeasonalNaive": ("SeasonalNaive", {}),
    "SeasonalNaive-5": ("SeasonalNaive", {"season": 5, "alias": "naive5"}),
    "WindowMean": ("WindowMean", {}),
    "WindowMean-3": ("WindowMean", {"window": 3}),
    "SeasonalMean": ("SeasonalMean", {}),
    "SeasonalES": ("SeasonalES", {}),
    "Drift": ("Drift", {}),
    "ARIMA": ("ARIMA", {"order": (2, 1, 0)}),
    "ARIMA-mean": ("ARIMA", {"order": (1, 0, 1)}),
    "VAR": ("VAR", {"max_order": 3}),
    "AutoETS": ("Stats", {"model": "AutoETS"}),
    "Theta": ("Stats", {"model": "Theta"}),
    "SES": ("Stats", {"model": "SimpleExponentialSmoothing", "params": {"alpha": 0.3}}),
    "Stats-TSB": ("Stats", {"model": "TSB", "params": {"alpha_d": 0.3, "alpha_p": 0.1}}),
    "Croston": ("Croston", {}),
    "SBA": ("SBA", {}),
    "TSB": ("TSB", {}),
    "ADIDA": ("ADIDA", {}),
    "IMAPA": ("IMAPA", {}),
    "CalendarES": ("CalendarES", {}),
    "CalendarES-de": ("CalendarES", {"calendar": {"features": ["weekday"], "country": "DE"}}),
    "CalendarMean": ("CalendarMean", {"cycles": 4}),
    "LAVAR": ("LAVAR", {"order": 3, "latent": 2, "epochs": 2, "head_epochs": 2}),
    "LAVAR-gaussian": ("LAVAR", {"order": 3, "latent": 2, "epochs": 1, "head_epochs": 1, "heads": ("gaussian",) * 3}),
    "Ridge": ("Ridge", {"input_size": 14}),
    "LSTM": ("LSTM", _NEURAL),
    "Attention": ("Attention", {**_NEURAL, "heads": 2}),
    "LSTM-student_t": ("LSTM", {**_NEURAL, "head": "student_t"}),
    "Attention-nb": ("Attention", {**_NEURAL, "heads": 2, "head": "nb"}),
    "Attention-quantile": ("Attention", {**_NEURAL, "heads": 2, "head": "quantile"}),
    "LSTM-calendar": ("LSTM", {**_NEURAL, "calendar": "auto", "known": "on"}),
    "Attention-waves": ("Attention", {**_NEURAL, "heads": 2, "seasons": (7, 24), "waves": 3, "head": "gaussian"}),
}


def present(name: str) -> bool:
    """Whether the module of a forecaster is in the package."""
    return importlib.util.find_spec(FORECASTERS[name].partition(":")[0]) is not None


CASES: dict[str, Callable[[int], Forecaster]] = {
    case: _named(name, **settings) for case, (name, settings) in _SETTINGS.items() if present(name)
}
"""Name of a case -> a function of the horizon that returns a fresh forecaster."""


def _ensemble(weights: Any, *members: tuple[str, dict[str, Any]]) -> Callable[[int], Forecaster]:
    return lambda h: forecaster_class("Ensemble")([{n: s} for n, s in members], weights, h=h)  # type: ignore[call-arg, arg-type]


CASES["Ensemble"] = _ensemble("validated", ("SeasonalNaive", {}), ("Ridge", {"input_size": 14}), ("Drift", {}))
CASES["Ensemble-distribution"] = _ensemble((0.3, 0.7), ("ARIMA", {"order": (1, 0, 1)}), ("ARIMA", {"order": (2, 0, 0)}))
CASES["Ensemble-networks"] = _ensemble(
    None, ("LSTM", {**_NEURAL, "waves": 2}), ("LAVAR", {"order": 3, "latent": 2, "epochs": 1, "head_epochs": 1})
)
CASES["Ensemble-median"] = lambda h: forecaster_class("Ensemble")(  # type: ignore[call-arg]
    [{"SeasonalNaive": {}}, {"Ridge": {"input_size": 14}}, {"Drift": {}}],  # type: ignore[arg-type]
    h=h,
    combine="median",
)


def _with_intervals(distribution: str, model: str, **settings: Any) -> Callable[[int], Forecaster]:
    return lambda h: forecaster_class("WithIntervals")({model: settings}, distribution, h=h)  # type: ignore[call-arg, arg-type]


CASES["WithIntervals"] = _with_intervals("auto", "SeasonalES")
CASES["WithIntervals-empirical"] = _with_intervals("empirical", "SeasonalMean", alias="means")
CASES["WithIntervals-validation"] = _with_intervals("normal", "Ridge", input_size=14)
CASES["WithIntervals-network"] = _with_intervals("normal", "Attention", **_NEURAL, heads=2, waves=2)
CASES["WithIntervals-passed-on"] = _with_intervals("auto", "ARIMA", order=(1, 0, 1))


def _conformal(method: str, model: str, **settings: Any) -> Callable[[int], Forecaster]:
    return lambda h: forecaster_class("Conformal")({model: settings}, method, h=h)  # type: ignore[call-arg, arg-type]


CASES["Conformal"] = _conformal("split", "SeasonalES")
CASES["Conformal-adaptive"] = _conformal("adaptive", "SeasonalES")
CASES["Conformal-network"] = _conformal("split", "LSTM", **_NEURAL, calendar="auto")
CASES["Conformal-distribution"] = _conformal("split", "ARIMA", order=(1, 0, 1))


def _per_entity(model: str, **settings: Any) -> Callable[[int], Forecaster]:
    return lambda h: forecaster_class("PerEntity")({model: settings}, h=h)  # type: ignore[call-arg, arg-type]


CASES["PerEntity"] = _per_entity("SeasonalES")
CASES["PerEntity-distribution"] = _per_entity("ARIMA", order=(1, 0, 1))
CASES["PerEntity-LSTM"] = _per_entity("LSTM", **_NEURAL)

"""Small panels, and every forecaster with small settings, for the tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from foreign import ADAPTED, PRESENT

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


def made(name: str, **settings: Any) -> Callable[[int], Forecaster]:
    """Return a function of the horizon that makes a fresh forecaster of the table, quick but for these settings."""
    kind = forecaster_class(name)
    return lambda h: kind(**{"h": h, **kind.quick, **settings})


_LSTM, _ATTENTION = dict(forecaster_class("LSTM").quick), dict(forecaster_class("Attention").quick)
_INNER = {"by_step": False}
"""Correcting the steps takes half of a fit so short: the networks themselves do it, and one with counts."""
_SHORT_LAVAR = {"order": 3, "latent": 2, "epochs": 1, "head_epochs": 1}
_FURTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "SeasonalNaive-5": ("SeasonalNaive", {"season": 5, "alias": "naive5"}),
    "WindowMean-3": ("WindowMean", {"window": 3}),
    "ARIMA-mean": ("ARIMA", {"order": (1, 0, 1)}),
    "Theta": ("Stats", {"model": "Theta"}),
    "SES": ("Stats", {"model": "SimpleExponentialSmoothing", "params": {"alpha": 0.3}}),
    "Stats-TSB": ("Stats", {"model": "TSB", "params": {"alpha_d": 0.3, "alpha_p": 0.1}}),
    "CalendarES-de": ("CalendarES", {"calendar": {"features": ["weekday"], "country": "DE"}}),
    "LAVAR-gaussian": ("LAVAR", {**_SHORT_LAVAR, "heads": ("gaussian",) * 3}),
    "LSTM-student_t": ("LSTM", {**_INNER, "head": "student_t"}),
    "Attention-nb": ("Attention", {"head": "nb"}),
    "Attention-quantile": ("Attention", {**_INNER, "head": "quantile"}),
    "LSTM-base": ("LSTM", {**_INNER, "level": "base"}),
    "LSTM-calendar": ("LSTM", {**_INNER, "calendar": "auto", "known": "on"}),
    "Attention-waves": ("Attention", {**_INNER, "seasons": (7, 24), "waves": 3, "head": "gaussian"}),
    "Ensemble-distribution": (
        "Ensemble",
        {"models": [{"VAR": {"order": 1}}, {"VAR": {"order": 2}}], "weights": (0.3, 0.7)},
    ),
    "Ensemble-networks": (
        "Ensemble", {"models": [{"LSTM": {**_LSTM, **_INNER, "waves": 2}}, {"LAVAR": _SHORT_LAVAR}]},
    ),
    "Ensemble-median": (
        "Ensemble", {"weights": None, "combine": "median"},
    ),
    "WithIntervals-empirical": (
        "WithIntervals", {"model": {"SeasonalMean": {"alias": "means"}}, "distribution": "empirical"},
    ),
    "WithIntervals-validation": ("WithIntervals", {"model": {"Ridge": {"input_size": 14}}, "distribution": "normal"}),
    "WithIntervals-network": (
        "WithIntervals", {"model": {"Attention": {**_ATTENTION, **_INNER, "waves": 2}}, "distribution": "normal"},
    ),
    "WithIntervals-passed-on": ("WithIntervals", {"model": {"VAR": {"order": 1}}}),
    "Conformal-adaptive": ("Conformal", {"method": "adaptive"}),
    "Conformal-network": ("Conformal", {"model": {"LSTM": {**_LSTM, **_INNER, "calendar": "auto"}}}),
    "Conformal-distribution": ("Conformal", {"model": {"VAR": {"order": 1}}}),
    "PerEntity-distribution": ("PerEntity", {"model": {"VAR": {"order": 1}}}),
    "PerEntity-LSTM": ("PerEntity", {"model": {"LSTM": {**_LSTM, **_INNER}}}),
    "Auto-networks": (
        "Auto", {"candidates": ["SeasonalES", {"LSTM": {**_LSTM, **_INNER}}], "time_limit": 600.0},
    ),
}  # fmt: skip
"""Beside every forecaster of the table with its quick settings: name of the case -> forecaster, and what differs."""

CASES: dict[str, Callable[[int], Forecaster]] = {
    **{name: made(name) for name in FORECASTERS},
    **{case: made(name, **settings) for case, (name, settings) in _FURTHER.items()},
    **PRESENT,
}
"""Name of a case -> a function of the horizon that returns a fresh forecaster."""

_CLASSES = {
    **{name: name for name in FORECASTERS},
    **{case: name for case, (name, _) in _FURTHER.items()},
    **{case: ADAPTED[case][1] for case in PRESENT},
}
ONE_EACH = tuple({name: case for case, name in reversed(_CLASSES.items())}.values())[::-1]
"""One case of each class: for what its settings have no say in."""


def crossed(kinds: Iterable[str], always: str) -> list[tuple[str, str]]:
    """Return what to try: every class on every kind of table, and its further settings on the kind ``always``."""
    return [(case, kind) for case in CASES for kind in kinds if case in ONE_EACH or kind == always]

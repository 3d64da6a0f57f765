"""LAVAR on tables of every kind: frequencies, short and long, few and many columns, gaps, any unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.forecasters.lavar.lavar import LAVAR


def table(
    freq: str | int = "D",
    T: int = 150,
    *,
    targets: int = 3,
    covariates: int = 3,
    entities: int = 1,
    missing: float = 0.0,
    scale: float = 1.0,
    negative: bool = False,
) -> Panel:
    """Counts of 10, 1 and 0.1 a step (or normal values), random walks of very unequal size, a rare flag."""
    rng = np.random.default_rng(0)
    parts = []
    for i in range(entities):
        time: Any = np.arange(T) if isinstance(freq, int) else pd.date_range("2021-01-01", periods=T, freq=freq)
        columns: dict[str, Any] = {"unique_id": f"site{i}", "ds": time}
        for j in range(targets):
            y = rng.normal(0, 5, T) if negative else rng.poisson(10.0 ** (1 - j), T).astype(float)
            y[rng.random(T) < missing] = np.nan
            columns[f"y{j}"] = scale * y
        columns |= {f"x{c}": np.cumsum(rng.normal(size=T)) * 10.0**c for c in range(covariates)}
        columns["flag"] = (rng.random(T) < 0.05).astype(float)
        parts.append(pd.DataFrame(columns))
    return Panel.from_frame(
        pd.concat(parts), target=[f"y{j}" for j in range(targets)], past=[f"x{c}" for c in range(covariates)],
        future=["flag"], missing="mask",
    )  # fmt: skip


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "hourly": ({"freq": "h", "T": 400}, {"h": 24}),
    "half-hourly": ({"freq": "30min", "T": 700}, {"h": 48}),
    "weekly": ({"freq": "W", "T": 130}, {"h": 8}),
    "monthly": ({"freq": "MS", "T": 90, "entities": 3}, {"h": 12}),
    "quarterly": ({"freq": "QS", "T": 60}, {"h": 4}),
    "business days": ({"freq": "B"}, {}),
    "integer time": ({"freq": 1}, {}),
    "below zero": ({"negative": True}, {}),
    "gaps": ({"missing": 0.3, "entities": 2}, {}),
    "millions": ({"scale": 1e6}, {}),
    "thousandths": ({"scale": 1e-3}, {}),
    "no covariates": ({"covariates": 0}, {}),
    "one target": ({"targets": 1, "covariates": 1}, {}),
    "forty rows": ({"T": 40}, {}),
    "gru": ({}, {"dynamics": "gru"}),
    "stable": ({}, {"stable": True, "epochs": 1}),
    "count heads": ({"entities": 2}, {"heads": ("nb", "nb", "zinb")}),
    "other heads": ({}, {"heads": ("quantile", "student_t", "poisson")}),
    "last value": ({}, {"base": "last", "horizon_weights": tuple(range(1, 8))}),
    "own history": ({}, {"own_history": True, "encode": "both"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_fits_and_forecasts_in_order(kind: str) -> None:
    shape, settings = KINDS[kind]
    panel = table(**shape)
    model = LAVAR(**{"h": 7, "epochs": 3, "head_epochs": 3, **settings})
    cutoff = panel.grid.output_times([int(panel.last.max()) - model.h])
    forecast = model.fit(panel, until=cutoff[0]).predict(panel, cutoff, quantiles=(0.1, 0.5, 0.9))
    assert forecast.mean.shape == (panel.n_entities, model.h, panel.n_targets)
    assert forecast.quantiles is not None
    assert np.isfinite(forecast.mean).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    truth = forecast.truth()
    # Nothing here can be foretold: a forecast far from the mean of the past would be a mistake of units or of lags.
    spread = np.nanstd(panel.values[:, : panel.n_targets], axis=0)
    assert (np.abs(np.nanmean(forecast.mean - truth, axis=(0, 1))) < 3 * spread).all()

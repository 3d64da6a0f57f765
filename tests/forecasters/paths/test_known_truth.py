"""Paths of models whose errors are known: the spread of their sums is what theory says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.panel import Panel
from foretide.forecasters.base import Forecaster

H, T = 10, 1200


def table(values: np.ndarray) -> Panel:
    """Daily series, a column each."""
    columns = {f"s{k}": column for k, column in enumerate(values.T)}
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=len(values)), **columns})
    return Panel.from_frame(frame.melt("ds", var_name="unique_id", value_name="y"), freq="D")


def autoregressive(rng: np.random.Generator, phi: float, shape: tuple[int, int]) -> np.ndarray:
    """Values that remember the day before, with innovations of variance one."""
    y = rng.normal(size=shape)
    for t in range(1, len(y)):
        y[t] += phi * y[t - 1]
    return y


def spread(forecast: ft.Forecast) -> float:
    """Root mean variance of the sums over the horizon."""
    return float(np.sqrt(forecast.sample(2000).sum(axis=2).var(axis=1).mean()))


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_an_autoregressive_process(seed: int) -> None:
    phi = 0.7
    panel = table(100 + autoregressive(np.random.default_rng(seed), phi, (T, 6)))
    found = ft.VAR(h=H).fit(panel).predict(panel)
    # The error of the sum: every innovation with the weight of all that it moves.
    weights = (1 - phi ** np.arange(1, H + 1)) / (1 - phi)
    assert spread(found) == pytest.approx(np.sqrt(np.square(weights).sum()), rel=0.12)
    apart = np.sqrt(found.sample(2000).var(axis=1).sum(axis=1).mean())
    assert apart < 0.75 * spread(found)  # what independent steps would say


def test_sums_of_a_random_walk_and_of_noise() -> None:
    rng = np.random.default_rng(1)
    walk, noise = table(rng.normal(size=(T, 6)).cumsum(axis=0)), table(rng.normal(size=(T, 6)))
    steps = np.arange(1, H + 1)
    expected = np.sqrt(np.minimum(steps[:, None], steps).sum())
    assert spread(ft.Persistence(h=H).fit(walk).predict(walk)) == pytest.approx(expected, rel=0.12)
    flat = ft.WindowMean(h=H, window=100).fit(noise).predict(noise)
    assert spread(flat) == pytest.approx(np.sqrt(H * (1 + H / 100)), rel=0.1)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_totals_over_series_that_share_their_noise(rho: float) -> None:
    rng = np.random.default_rng(2)
    y = np.sqrt(rho) * rng.normal(size=(T, 1)) + np.sqrt(1 - rho) * rng.normal(size=(T, 20))
    panel = table(y)
    found = ft.WindowMean(h=3, window=200).fit(panel).predict(panel)
    total = found.sample(2000).sum(axis=(0, 3))[:, 0].std()
    assert total == pytest.approx(np.sqrt(20 + 380 * rho), rel=0.15)


def test_series_against_each_other_cancel() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(size=(T, 1))
    panel = table(np.concatenate([common, -common], axis=1) + 0.5 * rng.normal(size=(T, 2)))
    paths = ft.WindowMean(h=2, window=200).fit(panel).predict(panel).sample(3000)
    assert np.corrcoef(paths[0, :, 0, 0], paths[1, :, 0, 0])[0, 1] == pytest.approx(-0.8, abs=0.06)


@pytest.mark.parametrize("level", [0.2, 1.0, 6.0])
def test_counts_hang_together_as_they_did(level: float) -> None:
    """Poisson counts whose mean moves slowly: their sums spread more than those of Poisson counts."""
    rng = np.random.default_rng(4)
    moving = np.exp(autoregressive(rng, 0.9, (2000, 40)) * np.sqrt(1 - 0.81) * 0.8 - 0.32)
    counts = rng.poisson(level * moving)
    panel = table(counts.astype(float))
    found = ft.WindowMean(h=H, window=400).fit(panel).predict(panel)
    truth = np.lib.stride_tricks.sliding_window_view(counts, H, axis=0).sum(axis=-1)
    own = float(np.sqrt(truth.var(axis=0).mean()))
    assert spread(found) == pytest.approx(own, rel=0.12)
    assert np.sqrt(found.sample(2000).var(axis=1).sum(axis=1).mean()) < 0.85 * own


def covered(model: Forecaster, panel: Panel, cutoffs: Any) -> float:
    """Share of sums over the horizon inside their 80 % interval."""
    found = model.predict(panel, cutoffs)
    low, high = np.quantile(found.sample(500).sum(axis=2), (0.1, 0.9), axis=1)
    truth = found.truth().sum(axis=1)
    return float(((truth >= low) & (truth <= high)).mean())


def test_intervals_of_sums_cover_what_they_say() -> None:
    """On draws of which the model has seen the first half only."""
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(10 + seed)
        panel = table(50 + 3 * autoregressive(rng, 0.6, (900, 8)))
        cutoffs = panel.grid.output_times(np.arange(449, 885, 7))
        shares.append(covered(ft.VAR(h=H).fit(panel, until=cutoffs[0]), panel, cutoffs))
    assert np.mean(shares) == pytest.approx(0.8, abs=0.04)

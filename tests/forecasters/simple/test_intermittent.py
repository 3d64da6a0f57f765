from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.errors import ConfigError, MissingExtraError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.table import forecaster_class

models = pytest.importorskip("statsforecast.models", reason="the extra 'baselines' is not installed")

NAMES = ("Croston", "SBA", "TSB", "ADIDA", "IMAPA")


def make(name: str, h: int = 3, **settings: Any) -> Forecaster:
    return forecaster_class(name)(h, **({"alpha_d": 0.2, "alpha_p": 0.1} if name == "TSB" else {}), **settings)


def demand(n: int = 160, seed: int = 0, missing: float = 0.0) -> Panel:
    """Two entities of three targets: demands now and then, often, never."""
    rng = np.random.default_rng(seed)
    panel = make_panel((n, n - 20), targets=3, first=(0, 5))
    values = rng.poisson(3, size=panel.values.shape) * (rng.random(panel.values.shape) < [0.15, 0.7, 0.0])
    values = values.astype(np.float64)
    values[rng.random(values.shape) < missing] = np.nan
    return panel.with_values(values)


# ---------------------------------------------------------------- twins: the formulas as plain loops
def smoothed(x: np.ndarray, alpha: float) -> float:
    level = x[0]
    for value in x[1:]:
        level = alpha * value + (1 - alpha) * level
    return float(level)


def gaps(y: np.ndarray) -> np.ndarray:
    where = np.flatnonzero(y > 0) + 1
    return np.diff(np.concatenate([[0], where])).astype(float)


def best_smoothed(x: np.ndarray) -> float:
    def loss(alpha: float) -> float:
        level, total = x[0], 0.0
        for value in x[1:]:
            total += (value - level) ** 2
            level = alpha * value + (1 - alpha) * level
        return total

    grid = np.linspace(0.1, 0.3, 401)
    return smoothed(x, float(grid[np.argmin([loss(a) for a in grid])]))


def blocks(y: np.ndarray, size: int) -> np.ndarray:
    cut = y[len(y) % size :]
    return cut.reshape(-1, size).sum(axis=1)


def twin(name: str, y: np.ndarray) -> float:
    if not (y > 0).any():
        return 0.0
    if name in ("Croston", "SBA"):
        return (0.95 if name == "SBA" else 1.0) * smoothed(y[y > 0], 0.1) / smoothed(gaps(y), 0.1)
    if name == "TSB":
        return smoothed(y[y > 0], 0.2) * smoothed((y > 0).astype(float), 0.1)
    mean_gap = round(gaps(y).mean())
    if name == "ADIDA":
        return best_smoothed(blocks(y, mean_gap)) / mean_gap
    return float(np.mean([best_smoothed(blocks(y, size)) / size for size in range(1, mean_gap + 1)]))


@pytest.mark.parametrize("name", NAMES)
def test_every_cutoff_is_the_formula_of_the_history_up_to_it(name: str) -> None:
    panel = demand()
    cutoffs = [60, 61, 100, 133]
    forecast = make(name).fit(panel, until=times(panel, [80])[0]).predict(panel, times(panel, cutoffs))
    for i in range(len(forecast)):
        entity, cutoff = forecast.windows.entity[i], forecast.windows.cutoff[i]
        for d in range(3):
            y = panel.rows(int(entity))[: cutoff + 1, d]
            expected = twin(name, y)
            np.testing.assert_allclose(forecast.mean[i, :, d], expected, rtol=2e-3 if "A" in name[1:] else 1e-10)
    assert np.ptp(forecast.mean[:, 0, 0]) > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_same_as_statsforecast(name: str) -> None:
    panel = demand(seed=1)
    mean = make(name).fit(panel).predict(panel, times(panel, [111])).mean
    kind = {"Croston": "CrostonClassic", "SBA": "CrostonSBA"}.get(name, name)
    theirs = getattr(models, kind)(**({"alpha_d": 0.2, "alpha_p": 0.1} if name == "TSB" else {}))
    y = panel.rows(1)[:107, 0].copy()
    np.testing.assert_allclose(mean[1, :, 0], theirs.fit(y).predict(3)["mean"])


@pytest.mark.parametrize("name", NAMES)
def test_never_a_demand_is_forecast_as_zero(name: str) -> None:
    panel = demand()
    forecast = make(name).fit(panel).predict(panel)
    assert not forecast.mean[..., 2].any()
    assert (forecast.mean[..., :2] > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_missing_values_are_left_out_and_nothing_seen_is_nan(name: str) -> None:
    panel = demand(missing=0.2, seed=3)
    values = panel.values.copy()
    values[:30, 0] = np.nan
    panel = panel.with_values(values)
    forecast = make(name).fit(panel).predict(panel, times(panel, [20, 120]))
    first = forecast.windows.entity == 0
    assert np.isnan(forecast.mean[first][0, :, 0]).all()
    y = panel.rows(0)[:121, 0]
    np.testing.assert_allclose(forecast.mean[first][1, 0, 0], twin(name, y[~np.isnan(y)]), rtol=2e-3)


def test_tsb_chooses_the_shares_with_the_least_error() -> None:
    panel = demand(seed=4)
    train = panel.until(times(panel, [100])[0])
    model = ft.TSB(2).fit(panel, until=times(panel, [100])[0])
    assert isinstance(model, ft.TSB)

    def errors(size: float, share: float) -> np.ndarray:
        out = []
        for entity in range(2):
            for d in range(2):
                y, total = train.rows(entity)[:, d], []
                for t in range(1, len(y)):
                    if (y[:t] > 0).any():
                        level = smoothed(y[:t][y[:t] > 0], size) * smoothed((y[:t] > 0).astype(float), share)
                        total.append((y[t] - level) ** 2)
                out.append(np.mean(total))
        return np.array(out)

    table = {(a, b): errors(a, b) for a in model.grid_d for b in model.grid_p}
    mean = np.mean(list(table.values()), axis=0)
    best = min(table, key=lambda pair: float((table[pair] / mean).sum()))
    assert model.alphas_ == best
    assert ft.TSB(2, alpha_d=0.4).fit(panel).alphas_[0] == 0.4
    assert ft.TSB(2, alpha_d=0.4, alpha_p=0.15).fit(panel).alphas_ == (0.4, 0.15)


def test_tsb_on_nothing_but_zeros_still_fits() -> None:
    panel = demand()
    panel = panel.with_values(0 * panel.values)
    assert not ft.TSB(2).fit(panel).predict(panel).mean.any()


def test_many_cutoffs_do_not_take_long() -> None:
    panel = ft.synthetic.supplies(T=700, n_targets=12, n_covariates=0, seed=0).panel
    cutoffs = times(panel, range(500, 690))
    for name in NAMES:
        mean = make(name, 14).fit(panel, until=cutoffs[0]).predict(panel, cutoffs).mean
        assert mean.shape == (190, 14, 12)
        assert np.isfinite(mean).all()


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_outside_is_refused(alpha: float) -> None:
    with pytest.raises(ConfigError, match=r"alpha_p is a share above 0 and at most 1, got .*Leave it out"):
        ft.TSB(3, alpha_p=alpha)


@pytest.mark.parametrize("name", NAMES)
def test_the_extra_is_named_when_it_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("foretide.forecasters.simple.intermittent")
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    with pytest.raises(MissingExtraError, match=rf"{name} needs the package 'statsforecast'.*foretide\[baselines\]"):
        getattr(module, name)(3)

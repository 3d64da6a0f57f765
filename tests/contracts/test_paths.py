"""Joint futures of every forecaster: paths whose steps are the forecast's distributions, in any table, saved or not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, ONE_EACH, make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.forecasters.base import Forecaster

H, LAST = 5, 149
each = pytest.mark.parametrize("case", CASES)
each_class = pytest.mark.parametrize("case", ONE_EACH)
pytestmark = pytest.mark.filterwarnings("ignore:.*its quantile head was trained:UserWarning")


@cache
def counts() -> Panel:
    """Three shops with gaps, and two targets that rise and fall together: Poisson sales with a week."""
    panel, rng = make_panel((180, 180, 160), targets=2, missing=0.02), np.random.default_rng(3)
    week = 8 * (1 + 0.4 * np.sin(2 * np.pi * np.arange(len(panel.values)) / 7))
    busy = np.exp(0.3 * rng.normal(size=len(week)))
    sold = rng.poisson((week * busy)[:, None] * np.array([1.0, 0.5])).astype(float)
    return panel.with_values(np.where(np.isnan(panel.values), np.nan, sold))


@cache
def fitted(case: str) -> Forecaster:
    return CASES[case](H).fit(counts(), until=times(counts(), [LAST])[0])


@cache
def forecast(case: str) -> ft.Forecast:
    return fitted(case).predict(counts(), times(counts(), [LAST, 154]), levels=(50, 80))


@each
def test_the_quantiles_of_the_paths_are_those_of_the_forecast(case: str) -> None:
    found, n = forecast(case), 400
    paths = found.sample(n)
    assert paths.shape == (len(found), n, H, 2)
    assert np.isfinite(paths).all()
    held = found.quantiles
    assert held is not None
    if (held == np.rint(held)).all():
        assert (paths == np.rint(paths)).all()
    for k, q in enumerate(found.quantile_levels):
        low, high = (np.quantile(paths, np.clip(q + s / n, 0, 1), axis=1) for s in (-1.5, 1.5))
        slack = 1e-6 * (1 + np.abs(held[..., k]))
        assert ((held[..., k] >= low - slack) & (held[..., k] <= high + slack)).all()
    assert (paths >= 0).all()  # as every value was


@each_class
def test_paths_of_a_series_are_the_same_in_any_table(case: str) -> None:
    found = forecast(case)
    paths = found.sample(50, seed=7)
    np.testing.assert_allclose(found.take(np.array([1, 4])).sample(50, seed=7), paths[[1, 4]], rtol=1e-5)
    assert not np.array_equal(found.sample(50, seed=8), paths)
    first = fitted(case).predict(counts().take([1]), times(counts(), [LAST]), levels=(50, 80))
    at = int(np.flatnonzero((found.windows.entity == 1) & (found.windows.cutoff == first.windows.cutoff[0]))[0])
    alone = first.sample(50, seed=7)[0]
    assert np.isclose(alone, paths[at], rtol=1e-4).mean() > 0.99  # where a count jumps may be a matter of a rounding
    fewer = fitted(case).predict(counts(), times(counts(), [LAST, 154]), levels=(50, 80), h=2)
    np.testing.assert_allclose(fewer.sample(50, seed=7), paths[:, :, :2], rtol=1e-5)


@each_class
def test_a_saved_forecaster_draws_the_same_paths(case: str, tmp_path: Path) -> None:
    fitted(case).save(tmp_path / "model")
    again = ft.load(tmp_path / "model").predict(counts(), times(counts(), [LAST, 154]), levels=(50, 80))
    np.testing.assert_array_equal(again.sample(30), forecast(case).sample(30))


@each_class
def test_new_and_short_series_have_paths_too(case: str) -> None:
    panel = counts()
    strange = replace(panel, ids=("new", panel.ids[1], "another"))
    found = fitted(case).predict(strange, times(panel, [12, LAST]), levels=80)
    paths = found.sample(40)
    assert np.isfinite(paths).all()
    total = found.total(by="all", levels=80, n=200)
    name = found.model
    assert len(total) == 2
    assert (total[f"{name}-lo-80"] <= total[name] * 1.5 + 1).all()
    assert (total[f"{name}-lo-80"] < total[f"{name}-hi-80"]).all()

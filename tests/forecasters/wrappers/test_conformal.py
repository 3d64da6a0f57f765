"""Conformal intervals around forecasters: by hand, by simulation, and what stays as it is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times
from scipy import stats

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.time.grid import Grid
from foretide.data.windows import Windows
from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.wrappers.conformal import GRID, Conformal, units
from foretide.forecasters.wrappers.conformal_quantiles import FEWEST

H = 4


def noise(n: int, sd: Any = 1.0, seed: int = 0, entities: int = 1, whole: bool = False) -> Panel:
    """Independent values around 20, with deviations by row ``[n]`` or by entity ``[entities, 1]``."""
    rng = np.random.default_rng(seed)
    values = 20 + rng.normal(size=(entities, n)) * sd
    panel = make_panel((n,) * entities).with_values(values.reshape(-1, 1))
    return panel.with_values(np.round(panel.values)) if whole else panel


class Fixed(Forecaster):
    """Forecasts one number, whatever it saw."""

    def __init__(self, h: int, value: float = 20.0, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.value = value

    def _fit(self, part: FitPart) -> None:
        pass

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        return Prediction(np.full((len(windows), self.h, panel.n_targets), self.value))


class Overconfident(Fixed):
    """A normal distribution around it that is far too narrow; no distribution for the second target."""

    has_distribution = True

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        mean = super()._predict(panel, windows, quantiles, traces).mean
        found = mean[..., None] + 0.2 * stats.norm.ppf(quantiles)
        found[:, :, 1:] = np.nan
        return Prediction(mean, found)


# ---------------------------------------------------------------- by hand
def test_split_by_hand() -> None:
    panel = make_panel((220,), seed=2)
    y = panel.values[:, 0]
    model = Conformal(ft.SeasonalMean(H, cycles=3), by=("step",)).fit(panel, until=times(panel, [199])[0])
    forecast = model.predict(panel, times(panel, [199, 210]), levels=(80,), quantiles=(0.3,))
    # 200 steps, the last 60 kept back: origins 139 .. 195, all of them; the unit from the steps 0 .. 139.
    unit = np.abs(y[7:140] - y[:133]).mean()
    assert model.calibration_ is not None
    np.testing.assert_allclose(model.calibration_.unit, [[unit]])
    assert model.calibration_.step.tolist() == list(range(-60, -H + 1))
    for k in range(H):
        errors = []
        for origin in range(139, 196):
            step = origin + 1 + k
            past = [step - 7 * c for c in range(1, 20) if step - 7 * c <= origin][:3]
            errors.append((y[step] - y[past].mean()) / unit)
        n = len(errors)
        ranks = [math.floor((n + 1) * 0.1), math.floor((n + 1) * 0.3), math.ceil((n + 1) * 0.9)]
        expected = unit * np.sort(errors)[np.array(ranks) - 1]
        for w in range(2):
            added = forecast.quantiles[w, k, 0] - forecast.mean[w, k, 0]  # type: ignore[index]
            np.testing.assert_allclose(added, expected, rtol=1e-6)


def test_adaptive_by_hand_learns_from_new_origins_only_when_their_truth_is_known() -> None:
    # One step ahead of a fixed forecast: scores are the values, and every step is an origin.
    panel = noise(130, seed=3)
    y = panel.values[:, 0]
    rate = 0.2
    model = Conformal(Fixed(1), "adaptive", by=(), rate=rate).fit(panel, until=times(panel, [99])[0])
    unit = np.abs(y[7:70] - y[:63]).mean()
    known, level, bound = [], {0.1: 0.1, 0.9: 0.9}, {}
    expected = {}
    for cutoff in range(69, 130):
        # Origins 69 .. 98 are of the fit; what is forecast there lies at 70 .. 99; then origins 99, 100, ...
        if cutoff > 69:
            for q, used in level.items():
                if q in bound:
                    inside = y[cutoff] < bound[q] if q < 0.5 else y[cutoff] <= bound[q]
                    level[q] = min(max(used + rate * (q - inside), 0.0), 1.0)
            known.append((y[cutoff] - 20) / unit)
        if len(known) >= FEWEST:
            for q, used in level.items():
                exact = (len(known) + 1) * used
                rank = math.floor(exact + 1e-9) if q < 0.5 else math.ceil(exact - 1e-9)
                bound[q] = 20 + unit * np.sort(known)[min(max(rank, 1), len(known)) - 1]
            expected[cutoff] = dict(bound)
    cutoffs = [99, 100, 107, 128]
    forecast = model.predict(panel, times(panel, cutoffs), levels=(80,))
    for w, cutoff in enumerate(cutoffs):
        np.testing.assert_allclose(forecast.quantiles[w, 0, 0], list(expected[cutoff].values()), rtol=1e-6)  # type: ignore[index]
    # A cutoff inside the part sees what is known at its end.
    inside = model.predict(panel, times(panel, [90]), levels=(80,))
    np.testing.assert_allclose(inside.quantiles[0, 0, 0], list(expected[99].values()), rtol=1e-6)  # type: ignore[index]


def test_units_by_hand() -> None:
    values = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, np.nan], [1.0, 5.0], [2.0, 5.0], [7.0, 5.0]])
    panel = make_panel((6,), targets=2).with_values(values)
    windows = Windows(np.zeros(3, dtype=np.int64), np.array([1, 3, 5]))
    found = units(panel, windows, 3)
    # Row 1: no season yet, |2 - 1|. Row 3: the season repeats, so (1 + 2 + 3) / 3. Row 5: (0 + 0 + 3) / 3.
    np.testing.assert_allclose(found[:, 0], [1.0, 2.0, 1.0])
    # A constant series has the unit of its size.
    np.testing.assert_allclose(found[:, 1], 5.0)
    nothing = units(panel.with_values(0 * np.nan_to_num(values)), windows, 3)
    np.testing.assert_array_equal(nothing, 1.0)


# ---------------------------------------------------------------- what is promised
@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_intervals_cover_what_they_say_by_step(method: Any) -> None:
    found = []
    for seed in range(4):
        panel = noise(600, np.array([[1.0], [10.0]]), seed, entities=2)
        cutoffs = times(panel, range(399, 590, 2))
        forecast = Conformal(Fixed(H, 21.0), method).fit(panel, until=cutoffs[0]).predict(panel, cutoffs, levels=(80,))
        truth = forecast.truth()
        inside = (truth >= forecast.quantile(0.1)) & (truth <= forecast.quantile(0.9))
        found.append([inside[forecast.windows.entity == i].mean(axis=(0, 2)) for i in range(2)])
    by_step = np.nanmean(found, axis=(0, 1))
    assert 0.78 < np.mean(found) < 0.83
    # 4 runs x 2 series x 96 cutoffs, of which every step is seen twice, and bounds learned from 120 errors.
    low, high = stats.binom.interval(0.999, 4 * 96, 0.8)
    assert (by_step * 4 * 96 >= low).all()
    assert (by_step * 4 * 96 <= high).all()


def test_a_law_that_is_far_too_narrow_is_corrected_and_a_target_without_one_too() -> None:
    panel = make_panel((600,), targets=2)
    rng = np.random.default_rng(5)
    panel = panel.with_values(20 + rng.normal(size=panel.values.shape) * [1.0, 3.0])
    cutoffs = times(panel, range(399, 590))
    own = Overconfident(H).fit(panel).predict(panel, cutoffs, levels=(80,))
    corrected = Conformal(Overconfident(H)).fit(panel, until=cutoffs[0]).predict(panel, cutoffs, levels=(80,))
    truth = own.truth()
    before = (truth >= own.quantile(0.1)) & (truth <= own.quantile(0.9))
    after = (truth >= corrected.quantile(0.1)) & (truth <= corrected.quantile(0.9))
    assert np.nanmean(before[:, :, 0]) < 0.3
    assert 0.75 < after[:, :, 0].mean() < 0.85
    assert 0.75 < after[:, :, 1].mean() < 0.85


def test_adaptive_holds_its_coverage_where_the_variance_grows_and_split_does_not() -> None:
    panel = noise(900, np.where(np.arange(900) < 320, 1.0, 3.0), seed=6)
    cutoffs = times(panel, range(400, 890))
    share = {}
    for method in ("split", "adaptive"):
        model = Conformal(Fixed(H), method).fit(panel, until=times(panel, [299])[0])  # type: ignore[arg-type]
        forecast = model.predict(panel, cutoffs, levels=(80,))
        truth = forecast.truth()
        share[method] = ((truth >= forecast.quantile(0.1)) & (truth <= forecast.quantile(0.9))).mean()
    assert share["split"] < 0.5
    assert 0.76 < share["adaptive"] < 0.84


# ---------------------------------------------------------------- what errors are told apart by
def test_series_apart_and_together() -> None:
    # The same differences over a season, but errors of different size: one series has a season the model ignores.
    panel = noise(400, 1.0, entities=2)
    season = np.where(np.arange(800) >= 400, 10.0, 0.0) * np.sin(2 * np.pi * np.arange(800) / 7)
    panel = panel.with_values(panel.values + season[:, None])
    width = {}
    for by in ((), ("series",)):
        forecast = Conformal(Fixed(H), by=by).fit(panel).predict(panel, levels=(80,))
        width[by] = (forecast.quantile(0.9) - forecast.quantile(0.1))[:, 0, 0]
    assert width["series",][1] > 3 * width["series",][0]
    np.testing.assert_allclose(width[()][1] / width[()][0], 1.0, rtol=0.2)  # units differ by chance alone


def test_density_buckets_of_counts() -> None:
    rng = np.random.default_rng(7)
    panel = make_panel((400,) * 4)
    rates = np.repeat([10.0, 8.0, 0.2, 1.0], 400)[:, None]
    values = rng.poisson(rates).astype(float)
    values[1480:] = 3.0  # dense of late, but not in the part from which the model learned before it made its errors
    panel = panel.with_values(values)
    model = Conformal(ft.WindowMean(H, window=50)).fit(panel)
    assert model.calibration_ is not None
    assert model.calibration_.bucket[:, 0].tolist() == [0, 0, 1, 1]
    q = model.predict(panel, levels=(80, 95)).quantiles
    assert q is not None
    assert (q == np.round(q)).all()
    assert (q >= 0).all()
    assert (q[2, ..., 0] == 0).all()
    assert (q[2:, ..., -1] >= 1).all()
    real = Conformal(ft.WindowMean(H, window=50)).fit(panel.with_values(values + 0.5))
    assert real.calibration_ is not None
    assert (real.calibration_.bucket == 3).all()


def test_where_too_few_errors_are_known_more_is_pooled() -> None:
    panel = noise(60, entities=3, seed=8)  # 18 steps kept back: 15 errors of a series, 45 of a step
    wide = Conformal(Fixed(H), by=("step", "series")).fit(panel).predict(panel, levels=(80,))
    pooled = Conformal(Fixed(H), by=("step",)).fit(panel).predict(panel, levels=(80,))
    np.testing.assert_array_equal(wide.quantiles, pooled.quantiles)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_an_entity_unknown_at_fit_gets_the_errors_of_the_others_in_its_own_unit(method: Any) -> None:
    panel = noise(300, np.array([[1.0], [1.0], [5.0]]), seed=9, entities=3)
    model = Conformal(Fixed(H), method).fit(panel.take([0, 1]), until=times(panel, [199])[0])
    cutoffs = times(panel, [199, 280])
    forecast = model.predict(panel, cutoffs, levels=(80,))
    assert forecast.quantiles is not None
    assert np.isfinite(forecast.quantiles).all()
    width = (forecast.quantile(0.9) - forecast.quantile(0.1)).mean(axis=(1, 2))
    np.testing.assert_allclose(width[4:] / width[:2], 5.0, rtol=0.25)
    known = model.predict(panel.take([1, 0]), cutoffs, levels=(80,))
    np.testing.assert_array_equal(known.quantiles[[2, 3, 0, 1]], forecast.quantiles[:4])  # type: ignore[index]


def test_a_series_that_starts_late_is_treated_as_unknown() -> None:
    panel = make_panel((200, 40), first=(0, 160), seed=7)
    forecast = Conformal(ft.SeasonalMean(H)).fit(panel).predict(panel, levels=(80,))
    width = forecast.quantile(0.9) - forecast.quantile(0.1)
    assert (width > 0).all()
    np.testing.assert_allclose(width[1], width[0], rtol=0.6)


# ---------------------------------------------------------------- what stays as it is
@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_mean_and_name_are_the_models_and_the_model_is_not_fitted(method: Any) -> None:
    panel = make_panel((200,), whole=True)
    cutoffs = times(panel, [150, 160])
    given = ft.SeasonalES(H)
    around = Conformal(given, method).fit(panel, until=cutoffs[0]).predict(panel, cutoffs, quantiles=(0.5,))
    assert not given.is_fitted
    plain = given.fit(panel, until=cutoffs[0]).predict(panel, cutoffs)
    np.testing.assert_array_equal(plain.mean, around.mean)
    assert around.model == "SeasonalES"
    assert Conformal({"SeasonalES": {}}, h=H, alias="mine").name == "mine"
    assert around.quantiles is not None
    assert (np.diff(around.quantiles, axis=-1) >= 0).all()


def test_cutoffs_together_have_the_quantiles_of_each_alone() -> None:
    panel = noise(900, entities=2, seed=10)
    model = Conformal(ft.WindowMean(H), "adaptive", window=30).fit(panel, until=times(panel, [599])[0])
    assert model.calibration_ is not None
    assert model.calibration_.stride == 3  # so that most cutoffs asked for are no origins that are learned from
    cutoffs = [599, 601, 602, 701, 702, 890]
    together = model.predict(panel, times(panel, cutoffs))
    for cutoff in cutoffs:
        alone = model.predict(panel, times(panel, [cutoff]))
        chosen = together.cutoff_steps == cutoff
        np.testing.assert_array_equal(together.quantiles[chosen], alone.quantiles)  # type: ignore[index]


def test_new_data_may_come_on_a_grid_that_starts_elsewhere(tmp_path: Path) -> None:
    panel = noise(300, seed=11)
    model = Conformal(ft.WindowMean(H), "adaptive").fit(panel, until=times(panel, [199])[0])
    model.save(tmp_path / "m")
    moved = replace(panel, grid=Grid(pd.Timestamp("2023-01-12"), "D"), first=panel.first - 10)
    cutoffs = times(panel, [240, 290])
    expected = model.predict(panel, cutoffs).quantiles
    found = ft.load(tmp_path / "m").predict(moved, cutoffs).quantiles
    np.testing.assert_array_equal(found, expected)  # type: ignore[arg-type]
    integer = replace(panel, grid=Grid(0, 1))
    model.fit(integer, until=199).save(tmp_path / "n")
    again = ft.load(tmp_path / "n").predict(integer, [240, 290]).quantiles
    np.testing.assert_allclose(again, model.predict(integer, [240, 290]).quantiles)  # type: ignore[arg-type]


def test_quantiles_of_a_law_are_interpolated_between_the_kept_levels() -> None:
    panel = noise(400, seed=12)
    model = Conformal(Overconfident(H)).fit(panel)
    assert model.calibration_ is not None
    asked, weights = model.calibration_.weights((0.001, 0.07, 0.5, 0.9))
    assert asked == (0.005, 0.05, 0.1, 0.5, 0.9)
    np.testing.assert_allclose(weights @ GRID, [0.005, 0.07, 0.5, 0.9])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    q = model.predict(panel, levels=(), quantiles=(0.05, 0.07, 0.1)).quantiles
    assert q is not None
    assert (np.diff(q, axis=-1) >= 0).all()
    assert np.unique(GRID).size == len(GRID)
    np.testing.assert_allclose(GRID + GRID[::-1], 1.0)


# ---------------------------------------------------------------- errors
def test_few_errors_warn_and_none_are_refused() -> None:
    panel = noise(14, seed=13)
    with pytest.warns(UserWarning, match="Fixed: 16 past errors are known in all; intervals from fewer than 20"):
        forecast = Conformal(Fixed(H)).fit(panel).predict(panel)
    assert np.isfinite(forecast.quantiles).all()  # type: ignore[arg-type]
    wide = make_panel((100,), targets=2)
    values = wide.values.copy()
    values[50:, 0] = np.nan  # what is known of the other target serves for both
    found = Conformal(Fixed(H)).fit(wide.with_values(values)).predict(wide.with_values(values))
    assert np.isfinite(found.quantiles).all()  # type: ignore[arg-type]


class Silent(Fixed):
    """Forecasts nothing."""

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        return Prediction(np.full((len(windows), self.h, panel.n_targets), np.nan))


def test_a_model_without_an_answer_has_a_stand_in() -> None:
    panel = noise(100)
    found = Conformal(Silent(H)).fit(panel).predict(panel)
    assert np.isfinite(found.mean).all()
    assert found.notes[0].text.endswith("Silent gave no finite forecast")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conformal(ft.SeasonalES(H), "splitt"), "no conformal method 'splitt'.*Did you mean 'split'"),  # type: ignore[arg-type]
        (lambda: Conformal(ft.SeasonalES(H), by=("buckets",)), "told apart by 'buckets'.*Did you mean 'bucket'"),
        (lambda: Conformal(ft.SeasonalES(H), window=0), "window is a number of cutoffs"),
        (lambda: Conformal(ft.SeasonalES(H), rate=2), "rate is a step size above 0 and at most 1"),
        (lambda: Conformal("SeasonalES"), r"has no horizon\. Type: Conformal\('SeasonalES', h=14\)"),
        (lambda: Conformal(ft.SeasonalES(H), h=5), "forecasts 4 steps, but h=5"),
    ],
)
def test_wrong_settings_are_named(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_settings_are_kept_in_one_order() -> None:
    model = Conformal(ft.SeasonalES(H), by=["series", "step"], window=30)
    assert model.settings()["by"] == ("step", "series")
    assert Conformal(**model.settings()).settings() == model.settings()
    assert Conformal(ft.SeasonalES(H), by="step").by == ("step",)

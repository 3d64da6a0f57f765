from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times
from scipy import optimize, stats

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.windows import Windows, slide
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.intervals.distribution import GRID, GROUP_SPREAD, WORTH, ErrorDistribution, Errors
from foretide.forecasters.intervals.past import evenly_spaced
from foretide.forecasters.wrappers.intervals import WithIntervals

H = 4


def counts(n: int = 600, theta: float = 2.0, seed: int = 0, targets: int = 2) -> Panel:
    """Negative binomial counts of known dispersion around constant means 3, 30, 3, ..."""
    rng = np.random.default_rng(seed)
    panel = make_panel((n,), targets=targets)
    mean = np.where(np.arange(targets) % 2, 30.0, 3.0)
    drawn = rng.negative_binomial(theta, theta / (theta + mean), size=panel.values.shape)
    return panel.with_values(drawn.astype(np.float64))


class Constant(Forecaster):
    """Forecasts one number, whatever it saw."""

    def __init__(self, h: int, value: float = 3.0, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.value = value

    def _fit(self, part: FitPart) -> None:
        pass

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        return Prediction(np.full((len(windows), self.h, panel.n_targets), self.value))


class Memory(Constant):
    """Knows by heart what it was fitted on, and forecasts zero for everything else."""

    def _fit(self, part: FitPart) -> None:
        self.seen = part.panel.values.copy()
        self.end = int(part.panel.last.max())

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        rows = windows.cutoff[:, None] + np.arange(1, self.h + 1)
        known = self.seen[np.minimum(rows, self.end)][..., : panel.n_targets]
        return Prediction(np.where((rows <= self.end)[..., None], known, 0.0))


# ---------------------------------------------------------------- the distributions
def test_the_dispersion_is_found_and_its_quantiles_are_scipys() -> None:
    panel = counts(n=1500, targets=1)
    model = WithIntervals(Constant(H)).fit(panel)
    assert model.errors_ is not None
    assert model.errors_.kinds == ("negative_binomial",)
    found = model.errors_.dispersion[0, 0]
    assert found.shape == (4,)
    np.testing.assert_allclose(found.mean(), 2.0, rtol=0.3)
    forecast = model.predict(panel, levels=(80,), quantiles=(0.5,))
    for k in range(H):
        expected = stats.nbinom.ppf([0.1, 0.5, 0.9], found[k], found[k] / (found[k] + 3.0))
        np.testing.assert_array_equal(forecast.quantiles[0, k, 0], expected)  # type: ignore[index]


def test_the_dispersion_is_the_maximum_of_the_likelihood_drawn_together() -> None:
    rng = np.random.default_rng(1)
    mean, theta = np.exp(rng.normal(1, 0.5, size=(80, 2, 1))), 3.0
    truth = rng.negative_binomial(theta, theta / (theta + mean)).astype(np.float64)
    past = Errors(mean, truth, np.zeros(80, dtype=np.int64), np.arange(80))
    distribution = ErrorDistribution.fit(past, ("negative_binomial",), ("a",), 2, 1)

    def likelihood(log_theta: float, k: Any) -> float:
        t, m = np.exp(log_theta), mean[:, k]
        return float(stats.nbinom.logpmf(truth[:, k], t, t / (t + m)).sum())

    both = slice(None)
    together = optimize.minimize_scalar(lambda x: -likelihood(x, both), bounds=(-5, 8), method="bounded").x
    for k in range(2):
        own = optimize.minimize_scalar(
            lambda x, k=k: -likelihood(x, k) + (x - together) ** 2 / (2 * GROUP_SPREAD**2),
            bounds=(-5, 8), method="bounded",
        ).x  # fmt: skip
        assert np.log(distribution.dispersion[0, 0, k]) == pytest.approx(own, abs=0.02)


def test_the_deviation_is_that_of_errors_from_inside_the_part() -> None:
    panel = make_panel((200,), targets=2, seed=2)
    model = WithIntervals(ft.SeasonalMean(H, cycles=3)).fit(panel, until=times(panel, [179])[0])
    assert model.errors_ is not None
    assert model.errors_.kinds == ("normal", "normal")
    # Twin: 180 steps, the last 54 kept back, origins 125 .. 175, all of them.
    squares = np.zeros((2, H))
    origins = range(125, 176)
    for origin in origins:
        for k in range(H):
            step = origin + 1 + k
            past = [step - 7 * c for c in range(1, 20) if step - 7 * c <= origin][:3]
            squares[:, k] += (panel.values[step, :2] - panel.values[past, :2].mean(axis=0)) ** 2
    n = len(origins)
    whole = squares.mean(axis=1, keepdims=True) / n
    shape = (squares / n / whole).mean(axis=0)
    expected = np.sqrt((squares + WORTH * whole * shape) / (n + WORTH))
    np.testing.assert_allclose(model.errors_.sd[0], expected, rtol=1e-6)
    forecast = model.predict(panel, times(panel, [185]), levels=(90,))
    np.testing.assert_allclose(
        forecast.quantile(0.95)[0], forecast.mean[0] + stats.norm.ppf(0.95) * expected.T, rtol=1e-6
    )


def test_the_empirical_law_holds_the_quantiles_of_the_errors() -> None:
    rng = np.random.default_rng(3)
    gap = rng.exponential(size=(500, 2, 1)) * np.array([1.0, 3.0])[None, :, None]
    past = Errors(np.full((500, 2, 1), 10.0), 10 + gap, np.zeros(500, dtype=np.int64), np.arange(500))
    distribution = ErrorDistribution.fit(past, ("empirical",), ("a",), 2, 1)
    found = distribution.quantiles(np.full((1, 2, 1), 5.0), ["a"], np.array([0]), (0.1, 0.5, 0.9))
    np.testing.assert_allclose(found[0, :, 0], 5 + np.quantile(gap[..., 0], (0.1, 0.5, 0.9), axis=0).T, atol=1e-9)
    between = distribution.quantiles(np.full((1, 2, 1), 5.0), ["a"], np.array([0]), (0.5025,))[0, 0, 0, 0]
    low, high = (np.quantile(gap[:, 0, 0], q) for q in (0.5, 0.505))
    assert between == pytest.approx(5 + (low + high) / 2)
    assert (np.diff(GRID) > 0).all()


@pytest.mark.parametrize("distribution", ["auto", "normal", "empirical"])
def test_intervals_cover_what_they_say(distribution: str) -> None:
    panel = counts(n=900, theta=5.0, seed=4)
    cutoffs = times(panel, range(600, 890, 3))
    model = WithIntervals(ft.WindowMean(H, window=50), distribution).fit(panel, until=cutoffs[0])  # type: ignore[arg-type]
    forecast = model.predict(panel, cutoffs, levels=(80,))
    truth = forecast.truth()
    # Counts take steps: the share inside lies between what the bounds hold with and without themselves.
    low, high = forecast.quantile(0.1), forecast.quantile(0.9)
    with_bounds, without = ((truth >= low) & (truth <= high)).mean(), ((truth > low) & (truth < high)).mean()
    assert without < 0.83
    assert with_bounds > 0.77
    assert 0.76 < ((truth >= low) & (truth <= high))[..., 1].mean() < 0.88  # a mean of 30: hardly any steps


def test_errors_are_those_on_steps_the_model_did_not_learn_from() -> None:
    panel = counts(targets=1)
    model = WithIntervals(Memory(H), "normal").fit(panel)
    assert model.errors_ is not None
    level = np.sqrt(np.mean(panel.values**2))  # it forecasts zero there
    np.testing.assert_allclose(model.errors_.sd[0], level, rtol=0.2)


def test_origins_pass_through_every_season_position() -> None:
    panel = counts(n=1401, targets=1)  # 30 % kept back and 60 origins: every seventh step, were it not avoided
    windows = evenly_spaced(panel, 1, H, 1401 - 420, 7, 60, 30_000)
    assert 30 <= len(windows) <= 60
    assert set(windows.cutoff % 7) == set(range(7))
    assert windows.cutoff.min() >= 1400 - 420
    assert windows.cutoff.max() == 1400 - H


@pytest.mark.parametrize("begin", [0, -1_000])
@pytest.mark.parametrize(("most", "in_all"), [(60, 30_000), (9, 30_000), (500, 40), (10_000, 30_000)])
def test_origins_are_those_picked_from_all(most: int, in_all: int, begin: int) -> None:
    ends = np.array([300, 5, 180, 240])
    panel = ft.synthetic.supplies(T=300, n_sites=4).panel.head(ends)
    panel = replace(panel, first=panel.first + begin + np.array([0, 7, 100, 3]))
    first_target = panel.first + np.array([150, 1, 20, 239])
    windows = evenly_spaced(panel, 3, H, first_target, 7, most, in_all)
    every = slide(panel, input_size=3, h=H, first_target=first_target)
    steps = every.steps(panel)
    stride = -(-int(np.bincount(every.entity).max()) // most)
    stride = max(stride, -(-len(every) // in_all))
    stride += stride % 7 == 0
    expected = every[(steps.max() - steps) % stride == 0]
    np.testing.assert_array_equal(windows.entity, expected.entity)
    np.testing.assert_array_equal(windows.cutoff, expected.cutoff)
    assert not len(evenly_spaced(panel.take([]), 3, H, first_target[:0], 7, most, in_all))


# ---------------------------------------------------------------- what stays as it is
@pytest.mark.parametrize("distribution", ["auto", "normal", "empirical", "negative_binomial"])
def test_the_point_forecast_and_the_name_are_the_models(distribution: str) -> None:
    panel = counts(n=200)
    cutoffs = times(panel, [150, 160])
    plain = ft.SeasonalES(H).fit(panel, until=cutoffs[0]).predict(panel, cutoffs)
    around = WithIntervals(ft.SeasonalES(H), distribution).fit(panel, until=cutoffs[0]).predict(panel, cutoffs)  # type: ignore[arg-type]
    np.testing.assert_array_equal(plain.mean, around.mean)
    assert around.model == "SeasonalES"
    assert WithIntervals(ft.SeasonalES(H, alias="es")).name == "es"
    assert WithIntervals({"SeasonalES": {}}, h=H, alias="mine").name == "mine"
    q = around.quantiles
    assert q is not None
    assert (np.diff(q, axis=-1) >= 0).all()
    if distribution != "normal":
        assert (q == np.round(q)).all()
        assert (q >= 0).all()


def test_a_law_of_its_own_is_passed_through_unless_another_is_asked_for() -> None:
    panel = make_panel((150,))
    own = ft.ARIMA(H, order=(1, 0, 0)).fit(panel).predict(panel)
    kept = WithIntervals(ft.ARIMA(H, order=(1, 0, 0))).fit(panel).predict(panel)
    np.testing.assert_array_equal(own.quantiles, kept.quantiles)  # type: ignore[arg-type]
    other = WithIntervals(ft.ARIMA(H, order=(1, 0, 0)), "normal").fit(panel).predict(panel)
    np.testing.assert_array_equal(own.mean, other.mean)
    assert (own.quantiles != other.quantiles).any()  # type: ignore[union-attr]


def test_the_model_handed_in_is_not_fitted() -> None:
    model = ft.SeasonalES(H)
    WithIntervals(model).fit(make_panel((100,)))
    assert not model.is_fitted


# ---------------------------------------------------------------- difficult series
def test_each_target_gets_the_law_that_suits_it() -> None:
    panel = make_panel((150,), targets=2)
    values = panel.values.copy()
    values[:, 0] = np.random.default_rng(1).poisson(values[:, 0].clip(1))
    model = WithIntervals(ft.SeasonalMean(H)).fit(panel.with_values(values))
    assert model.errors_ is not None
    assert model.errors_.kinds == ("negative_binomial", "normal")
    q = model.predict(panel.with_values(values)).quantiles
    assert q is not None
    assert (q[:, :, 0] == np.round(q[:, :, 0])).all()
    assert (q[:, :, 1] != np.round(q[:, :, 1])).all()


def test_a_target_that_is_always_zero_stays_zero() -> None:
    panel = counts(n=200)
    values = panel.values.copy()
    values[:, 0] = 0
    panel = panel.with_values(values)
    for distribution in ("auto", "empirical", "negative_binomial"):
        q = WithIntervals(ft.SeasonalES(H), distribution).fit(panel).predict(panel).quantiles  # type: ignore[arg-type]
        assert q is not None
        assert not q[:, :, 0].any()
        assert (q[:, :, 1, -1] > 0).all()


def test_what_follows_a_forecast_of_zero_is_learned_by_season_position() -> None:
    rng = np.random.default_rng(5)
    panel = make_panel((2000,))
    values = rng.poisson(0.25, size=(2000, 1)) * (np.arange(2000)[:, None] % 7 != 6)  # closed every seventh day
    panel = panel.with_values(values.astype(np.float64))
    model = WithIntervals(Constant(7, 0.0)).fit(panel)
    assert model.errors_ is not None
    floor = model.errors_.floor[0, 0]
    assert floor[6] == 0
    np.testing.assert_allclose(floor[:6], 0.25, atol=0.2)
    forecast = model.predict(panel, times(panel, [1987]), levels=(80,))
    assert forecast.quantile(0.9)[0, :, 0].tolist() == [1, 1, 1, 1, 1, 1, 0]
    assert not forecast.mean.any()


def test_an_entity_unknown_at_fit_gets_the_intervals_of_the_others() -> None:
    panel = make_panel((200, 200, 200), seed=6)
    for distribution in ("normal", "empirical"):
        model = WithIntervals(ft.SeasonalMean(H), distribution).fit(panel.take([0, 1]))  # type: ignore[arg-type]
        forecast = model.predict(panel, levels=(80,))
        width = forecast.quantile(0.9) - forecast.quantile(0.1)
        np.testing.assert_allclose(width[2], width[:2].mean(axis=0), rtol=0.35)
    whole = panel.with_values(np.round(panel.values))
    counted = WithIntervals(ft.SeasonalMean(H)).fit(whole.take([0, 1])).predict(whole, levels=(80,))
    assert (counted.quantile(0.9)[2] > counted.quantile(0.1)[2]).all()


def test_a_series_that_starts_late_has_intervals_too() -> None:
    panel = make_panel((200, 40), first=(0, 160), seed=7)
    for distribution in ("normal", "empirical"):
        forecast = WithIntervals(ft.SeasonalMean(H), distribution).fit(panel).predict(panel, levels=(80,))  # type: ignore[arg-type]
        width = forecast.quantile(0.9) - forecast.quantile(0.1)
        assert (width > 0).all()
        np.testing.assert_allclose(width[1], width[0], rtol=0.8)


def test_short_series_warn_and_too_short_ones_are_refused() -> None:
    panel = make_panel((8,))
    with pytest.warns(UserWarning, match="too short to keep 4 steps back.*too narrow"):
        forecast = WithIntervals({"Ridge": {"input_size": 1, "h": H}}, "normal").fit(panel).predict(panel)
    assert np.isfinite(forecast.mean).all()
    # With one origin after another of a formula there is enough.
    assert WithIntervals(ft.SeasonalNaive(2)).fit(make_panel((12,))).predict(make_panel((12,))).quantiles is not None
    with (
        pytest.raises(DataError, match="No past forecast can be compared.*h=4 after it.*longest series has 1"),
        pytest.warns(UserWarning, match="too short"),
    ):
        WithIntervals(ft.Persistence(H)).fit(make_panel((1,)))


@pytest.mark.parametrize("distribution", ["auto", "empirical"])
def test_series_no_longer_than_the_horizon_have_the_width_of_the_steps_that_are_known(distribution: Any) -> None:
    panel = make_panel((8,), seed=2)
    model = WithIntervals(ft.Persistence(12), distribution)
    with pytest.warns(
        UserWarning, match=r"no past forecast reaches further than 4 steps\. The intervals of later steps"
    ):
        found = model.fit(panel).predict(panel)
    width = (found.quantile(0.9) - found.quantile(0.1))[0, :, 0]
    assert (width > 0).all() or distribution == "empirical"  # of a single error in the second quarter
    np.testing.assert_allclose(width[6:], width[5])  # the third and fourth quarter, as the second


def test_missing_values_are_left_out_of_the_errors() -> None:
    panel = make_panel((200,), missing=0.2, seed=8)
    model = WithIntervals(ft.SeasonalMean(H)).fit(panel)
    assert model.errors_ is not None
    assert np.isfinite(model.errors_.sd).all()
    np.testing.assert_allclose(model.errors_.sd[0], 1.1, rtol=0.35)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WithIntervals(ft.SeasonalES(H), "gaussian"), "There is no distribution 'gaussian'"),  # type: ignore[arg-type]
        (lambda: WithIntervals(ft.SeasonalES(H), "norm"), "Did you mean 'normal'"),  # type: ignore[arg-type]
        (lambda: WithIntervals("SeasonalES"), r"has no horizon\. Type: WithIntervals\('SeasonalES', h=14\)"),
        (lambda: WithIntervals(ft.SeasonalES(H), h=5), "forecasts 4 steps, but h=5"),
        (lambda: WithIntervals("SeasonalEX", h=5), "no forecaster 'SeasonalEX'"),
    ],
)
def test_wrong_settings_are_named(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_count_law_needs_counts() -> None:
    panel = make_panel((100,), targets=2)
    with pytest.raises(DataError, match=r"needs counts.*target 'y0' has other values\. Take distribution='normal'"):
        WithIntervals(ft.SeasonalES(H), "negative_binomial").fit(panel)

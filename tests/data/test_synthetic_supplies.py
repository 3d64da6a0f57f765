from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import foretide as ft
from foretide.data.counts import density
from foretide.data.synthetic import SuppliesTruth, Synthetic, supplies
from foretide.data.synthetic.supplies_truth import mixed_quantiles
from foretide.errors import ConfigError


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return supplies(seed=3)


def continued(truth: SuppliesTruth, cutoff: int, h: int, n: int, site: int = 0) -> np.ndarray:
    """Twin: simulate ``n`` continuations of the state at a cutoff with plain loops, ``[n, h, D]``."""
    rng = np.random.default_rng(5)
    order, k = truth.matrices.shape[:2]
    row = cutoff + order
    path = [np.tile(truth.history[site, row - i], (n, 1)) for i in range(order)]  # newest first
    level = np.tile(truth.level[site, cutoff], (n, 1))
    out = np.empty((n, h, len(truth.targets)))
    for ahead in range(h):
        z = rng.multivariate_normal(np.zeros(k), truth.shock, size=n)
        for i in range(order):
            z = z + path[i] @ truth.matrices[i].T
        path = [z, *path[:-1]]
        level = level + truth.level_sd * rng.standard_normal(level.shape)
        mean = truth.base[site] * truth.calendar([cutoff + 1 + ahead])[0] * np.exp(z @ truth.loadings.T + level)
        theta = truth.dispersion
        drawn = rng.negative_binomial(np.broadcast_to(theta, mean.shape), theta / (theta + mean))
        out[:, ahead] = np.where(rng.random(mean.shape) < truth.zero_probability, 0, drawn)
    return out


@pytest.fixture(scope="module")
def simulated() -> tuple[SuppliesTruth, np.ndarray]:
    # Over Easter 2019: two holidays and the day between; strong effects, so that the variances matter.
    truth = supplies(T=130, n_targets=8, latent=2, effect=0.6, n_sites=2, seed=1).truth
    truth = replace(truth, level_sd=0.1, zero_probability=np.full(8, 0.3) * (np.arange(8) % 2))
    return truth, continued(truth, 105, 8, 20_000, site=1)


def test_the_oracle_is_the_mean_of_simulated_continuations(simulated: tuple[SuppliesTruth, np.ndarray]) -> None:
    truth, draws = simulated
    oracle = truth.oracle([105], 8, site=1)[0]
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - oracle) <= 4.5 * error + 1e-9).all()
    # It is sharp enough to notice a missing variance or one day's shift.
    assert (np.abs(draws.mean(axis=0) - truth.oracle([104], 8, site=1)[0]) > 4.5 * error).mean() > 0.5
    flat = replace(truth, level_sd=0.0).oracle([105], 8, site=1)[0]
    assert (np.abs(draws.mean(axis=0) - flat)[-1] > 4.5 * error[-1]).any()


def test_the_oracle_quantiles_are_those_of_simulated_continuations(
    simulated: tuple[SuppliesTruth, np.ndarray],
) -> None:
    truth, draws = simulated
    levels = (0.1, 0.5, 0.9)
    found = truth.oracle_quantiles([105], 8, levels, site="site2")[0]
    assert (found == np.floor(found)).all()
    assert (found >= 0).all()
    assert found.max() > 20
    for j, level in enumerate(levels):
        tolerance = 4.5 * np.sqrt(level * (1 - level) / len(draws))
        assert ((draws <= found[..., j]).mean(axis=0) >= level - tolerance).all()
        assert ((draws <= found[..., j] - 1).mean(axis=0) < level + tolerance).all()


def test_quantiles_without_spread_are_scipys() -> None:
    rng = np.random.default_rng(0)
    mean, theta = np.exp(rng.uniform(-6, 9, 400)), np.exp(rng.uniform(-2, 8, 400))
    zero = np.where(rng.random(400) < 0.5, 0.0, 0.4)
    levels = np.array([0.05, 0.35, 0.5, 0.95])
    found = mixed_quantiles(levels, mean, np.zeros(400), theta, zero)
    beyond = np.clip((levels - zero[:, None]) / (1 - zero[:, None]), 1e-300, None)
    distribution = stats.nbinom(theta[:, None], (theta / (theta + mean))[:, None])
    expected = np.where(levels <= zero[:, None], 0, distribution.ppf(beyond))
    # A level that a cdf meets to the last bit may fall on either side.
    assert (found != expected).mean() < 0.002
    assert np.abs(found - expected).max() <= 1


def test_quantiles_of_one_count_by_quadrature() -> None:
    # Large means leave the sum over single counts; both ways must agree with a fine rule.
    grid = np.linspace(-8, 8, 4001)
    weight = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum()
    for mean, theta in ((5.0, 2.0), (90.0, 300.0), (3000.0, 4000.0)):
        means = mean * np.exp(0.4 * grid)
        (low, high) = mixed_quantiles(np.array([0.1, 0.9]), *(np.array([v]) for v in (mean, 0.4, theta, 0.0)))[0]
        for level, value in ((0.1, low), (0.9, high)):
            at = [weight @ stats.nbinom.cdf(k, theta, theta / (theta + means)) for k in (value - 1, value)]
            assert at[0] < level + 2e-3
            assert at[1] >= level - 2e-3


def test_a_stable_var_with_unit_variances_and_a_week(made: Synthetic) -> None:
    truth = made.truth
    assert truth.matrices.shape == (7, 4, 4)
    assert np.abs(np.linalg.eigvals(truth.companion)).max() == pytest.approx(0.97)
    assert not truth.matrices[2:6].any()
    assert (np.diag(truth.matrices[6]) > 0.02).all()
    paths = supplies(T=20_000, n_targets=2, n_covariates=0, seed=3).truth.latent[0]
    np.testing.assert_allclose(paths.std(axis=0), 1, atol=0.12)
    # Least squares on the path finds the matrices, newest lag first.
    lagged = np.concatenate([paths[7 - i - 1 : len(paths) - i - 1] for i in range(7)], axis=1)
    found = np.linalg.lstsq(lagged, paths[7:], rcond=None)[0].reshape(7, 4, 4).transpose(0, 2, 1)
    np.testing.assert_allclose(found, truth.matrices, atol=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_nonzero_rates_span_the_whole_range(seed: int) -> None:
    rates = density(supplies(seed=seed).panel)[0]
    assert rates.min() < 0.005
    assert rates.max() > 0.95
    assert 0.6 < 1 - rates.mean() < 0.84
    assert (rates >= 0.7).sum() >= 10
    assert ((rates > 0.005) & (rates < 0.7)).sum() >= 15


def test_closed_sundays_high_mondays_and_holidays(made: Synthetic) -> None:
    panel, truth = made.panel, made.truth
    y, day = panel.values[:, :48], panel.grid.times(np.arange(1095)).day_of_week.to_numpy()
    closed = truth.weekday[:, 6] == 0
    assert 30 <= closed.sum() <= 42
    assert not y[day == 6][:, closed].any()
    assert y[day == 6][:, ~closed].any()
    assert (truth.weekday[closed].argmax(axis=1) == 0).mean() > 0.9
    np.testing.assert_allclose(truth.weekday.mean(axis=1), 1)
    holiday = panel.values[:, -1]
    assert 33 <= holiday.sum() <= 40
    first_may = (datetime.date(2020, 5, 1) - datetime.date(2019, 1, 1)).days
    assert holiday[first_may] == 1
    assert (truth.holiday <= 0.6).all()
    assert (truth.holiday == 0).sum() >= 3
    # What the counts themselves say about the dense targets, against the truth.
    dense = closed & (truth.base[0] > 5) & (truth.holiday > 0)
    plain = truth.weekday.T[day] * truth.base[0] * np.exp(truth.latent[0] @ truth.loadings.T + truth.level[0])
    calendar = truth.calendar(np.arange(1095)) / np.where(truth.weekday.T[day] > 0, truth.weekday.T[day], 1)
    for factor in (truth.holiday, truth.after, truth.before):
        rows = np.isclose(calendar, factor) & (day != 6)[:, None]
        found = np.where(rows, y, 0).sum(axis=0) / np.where(rows, plain, 0).sum(axis=0)
        np.testing.assert_allclose(found[dense], factor[dense], rtol=0.25)
    assert truth.after[closed].mean() == pytest.approx(1.8, abs=0.1)
    assert truth.before[closed].mean() == pytest.approx(0.56, abs=0.05)


def test_days_around_holidays_are_working_days() -> None:
    truth = supplies(T=130, seed=0).truth
    factor = (
        truth.calendar(np.arange(130)) / np.where(truth.weekday.T > 0, truth.weekday.T, 1)[(np.arange(130) + 1) % 7]
    )

    def on(month: int, day: int) -> Any:
        return factor[(datetime.date(2019, month, day) - datetime.date(2019, 1, 1)).days]

    np.testing.assert_allclose(on(4, 18), truth.before)  # Maundy Thursday
    np.testing.assert_allclose(on(4, 19), truth.holiday)  # Good Friday
    np.testing.assert_allclose(on(4, 20), truth.after * truth.before)  # Saturday between
    np.testing.assert_allclose(on(4, 23), truth.after)  # Tuesday after Easter Monday
    np.testing.assert_allclose(on(1, 1), truth.holiday)
    np.testing.assert_allclose(on(1, 2), truth.after)
    np.testing.assert_allclose(on(1, 7), truth.after)  # Epiphany was a Sunday
    np.testing.assert_allclose(on(1, 5), truth.before)
    np.testing.assert_allclose(on(1, 15), 1)
    none = supplies(T=130, seed=0, country=None)
    assert not none.panel.values[:, -1].any()
    np.testing.assert_allclose(none.truth.calendar([3, 4]), none.truth.weekday.T[[4, 5]])


def test_variance_over_mean_is_that_of_the_dispersion(made: Synthetic) -> None:
    truth, y = made.truth, made.panel.values[:, :48]
    index = 1 + truth.base[0] / truth.dispersion
    assert (index >= 1.1).all()
    assert (index <= 2.2).all()
    assert 3 <= (truth.zero_probability > 0).sum() <= 15
    dense = (truth.base[0] > 1) & (truth.zero_probability == 0)
    mean = truth.intensity[0]
    expected = (mean + mean**2 / truth.dispersion).sum(axis=0)
    np.testing.assert_allclose(((y - mean) ** 2).sum(axis=0)[dense] / expected[dense], 1, atol=0.3)


def test_covariates_show_the_latent_state(made: Synthetic) -> None:
    x, z = made.panel.values[:, 48:83], made.truth.latent[0]
    design = np.column_stack([np.ones(len(x)), x])
    left = z[800:] - design[800:] @ np.linalg.lstsq(design[:800], z[:800], rcond=None)[0]
    assert (left.var(axis=0) / z[800:].var(axis=0) < 0.2).all()
    assert (left.var(axis=0) / z[800:].var(axis=0) > 0.001).all()  # there is noise


def test_roles_seeds_and_prefix() -> None:
    long, short = supplies(T=200, seed=7, ahead=14), supplies(T=120, seed=7)
    panel = long.panel
    assert (len(panel.targets), len(panel.past), panel.future) == (48, 35, ("holiday",))
    assert panel.targets[0] == "item01"
    assert panel.grid.freq == "D"
    assert panel.observed.tolist() == [200]
    assert panel.length.tolist() == [214]
    assert np.isnan(panel.values[200:, :-1]).all()
    assert np.isfinite(panel.values[:, -1]).all()
    np.testing.assert_array_equal(panel.values[:120], short.panel.values)
    np.testing.assert_array_equal(panel.values, supplies(T=200, seed=7, ahead=14).panel.values)
    assert (panel.values[:200, :48] != supplies(T=200, seed=8).panel.values[:, :48]).any()
    np.testing.assert_array_equal(  # without covariates everything else stays
        panel.values[:200, :48], supplies(T=200, seed=7, n_covariates=0).panel.values[:, :48]
    )
    frame = short.to_frame()
    assert list(frame.columns[:2]) == ["ds", "item01"]
    assert len(frame) == 120


def test_sites_share_parameters_and_have_their_own_paths() -> None:
    made = supplies(T=150, n_targets=6, n_covariates=3, n_sites=3, seed=2)
    panel, truth = made.panel, made.truth
    assert panel.ids == ("site1", "site2", "site3")
    assert panel.length.tolist() == [150] * 3
    alone = supplies(T=150, n_targets=6, n_covariates=3, seed=2)
    np.testing.assert_array_equal(panel.rows(0), alone.panel.rows(0))
    assert np.abs(np.corrcoef(truth.latent[0, :, 0], truth.latent[1, :, 0])[0, 1]) < 0.9
    assert (truth.base[0] != truth.base[1]).all()
    np.testing.assert_array_equal(truth.loadings, alone.truth.loadings)


def test_the_oracle_goes_with_forecast_windows() -> None:
    made = supplies(T=300, n_targets=6, n_covariates=2, n_sites=2, seed=2)
    steps = np.arange(200, 280)
    cutoffs = list(made.panel.grid.output_times(steps))
    forecast = ft.SeasonalES(h=7).fit(made.panel, until=cutoffs[0]).predict(made.panel, cutoffs)
    oracle = made.truth.oracle(steps, 7)
    assert oracle.shape == forecast.mean.shape
    np.testing.assert_array_equal(oracle, made.truth.oracle(forecast.cutoff_steps, 7, site=forecast.windows.entity))
    np.testing.assert_array_equal(oracle[80:], made.truth.oracle(cutoffs, 7, site="site2"))
    board = ft.score([forecast], made.panel, oracle=oracle).leaderboard()
    assert board["model"].tolist() == ["oracle", "SeasonalES"]
    # The oracle's squared error is about the variance of its own distribution.
    truth = forecast.truth()
    inside = truth <= made.truth.oracle_quantiles(steps, 7, (0.9,))[..., 0]
    assert 0.88 < inside.mean() < 0.98


def test_substitutions_move_demand_from_one_target_to_another() -> None:
    plain = supplies(T=700, n_targets=10, n_covariates=0, seed=4).truth
    moved = supplies(T=700, n_targets=10, n_covariates=0, seed=4, substitutions=2.0).truth
    jump = moved.level[0] - plain.level[0]
    events = np.flatnonzero(np.abs(np.diff(jump, axis=0)).max(axis=1) > 1e-9)
    assert 1 <= len(events) <= 9
    rates = plain.base[0] * np.exp(jump)
    np.testing.assert_allclose(rates.sum(axis=1), plain.base[0].sum())  # what one loses another gains
    assert np.diff(jump, axis=0).min() == pytest.approx(np.log(0.03))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"T": 0}, "T is a whole number of at least 1"),
        ({"n_targets": 1}, "n_targets is a whole number of at least 2"),
        ({"n_covariates": -1}, "n_covariates is a whole number"),
        ({"latent": 0}, "latent is a whole number"),
        ({"order": 7}, "order is at most 6"),
        ({"effect": -0.1}, "effect is a number of at least 0"),
        ({"substitutions": float("nan")}, "substitutions is a number"),
        ({"country": "XX"}, "There is no country 'XX'"),
        ({"n_sites": 0}, "n_sites is a whole number"),
    ],
)
def test_wrong_settings_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        supplies(**{"T": 20, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cutoffs": [60], "h": 3}, "Cutoffs lie within the 60 generated steps"),
        ({"cutoffs": [10], "h": 0}, "h is a whole number"),
        ({"cutoffs": [10], "h": 3, "site": "ward"}, "site is one of .*'site1', 'site2'.*got 'ward'"),
        ({"cutoffs": [10], "h": 3, "site": 2}, "site is one of"),
        ({"cutoffs": [10, 11, 12], "h": 3, "site": [0, 1]}, "one for each of the 3 cutoffs; got 2"),
    ],
)
def test_wrong_questions_are_named(arguments: dict[str, Any], message: str) -> None:
    truth = supplies(T=60, n_targets=3, n_covariates=1, n_sites=2).truth
    with pytest.raises(ConfigError, match=message):
        truth.oracle(**arguments)
    with pytest.raises(ConfigError, match="levels are fractions"):
        truth.oracle_quantiles([10], 3, (0.1, 1.0))

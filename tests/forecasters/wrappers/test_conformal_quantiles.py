"""Conformal correction against a loop over every cutoff, and what it promises on simulated errors."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.errors import ConfigError, DataError
from foretide.forecasters.wrappers.conformal_quantiles import rolling_conformal, whole_bounds

LEVELS = (0.1, 0.3, 0.5, 0.9)


def case(seed: int, *, counts: bool = False, cutoffs: int = 14, entities: int = 3) -> dict[str, Any]:
    """Irregular cutoffs, holes, several groups and units; forecasts in no order."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.integers(1, 4, size=cutoffs))
    step = np.repeat(times, entities)
    shape = (len(step), 3, 2)
    truth = rng.poisson(3.0, size=shape).astype(float) if counts else rng.normal(size=shape)
    truth[rng.random(shape) < 0.1] = np.nan
    own = np.sort(rng.normal(size=(*shape, len(LEVELS))), axis=-1) + (2 if counts else 0)
    own[rng.random(shape) < 0.05] = np.nan
    series = np.tile(np.arange(entities), cutoffs)
    group = (series % 2)[:, None, None] * 10 + (np.arange(3) > 0)[:, None]
    unit = (0.5 + series[:, None, None]) * np.array([1.0, 2.0])
    mixed = rng.permutation(len(step))
    return {
        "truth": truth[mixed], "own": own[mixed], "levels": LEVELS, "step": step[mixed],
        "group": np.broadcast_to(group, (len(step), 3, 1))[mixed], "unit": unit[mixed],
    }  # fmt: skip


def slow(
    truth: Any, own: Any, levels: Any, step: Any, group: Any, unit: Any,
    method: str = "split", window: int | None = None, rate: float = 0.05, fewest: int = 20,
) -> Any:  # fmt: skip
    """The definition, one score at a time; bounds are not sorted."""
    n, h, d = truth.shape
    group, unit = np.broadcast_to(group, truth.shape), np.broadcast_to(unit, truth.shape)
    out = np.full(own.shape, np.nan)
    level = {(g, q): Fraction(str(tau)) for g in np.unique(group) for q, tau in enumerate(levels)}
    added: dict[Any, float] = {}
    cells = [(i, k, c) for i in range(n) for k in range(h) for c in range(d)]
    cells = [cell for cell in cells if not np.isnan(truth[cell]) and not np.isnan(own[cell]).any()]
    cutoffs = sorted(set(step.tolist()))
    for time in range(cutoffs[0], cutoffs[-1] + h + 1):
        for g in np.unique(group):
            for q, tau in enumerate(levels):
                news = [cell for cell in cells if step[cell[0]] + cell[1] + 1 == time and group[cell] == g]
                news = [cell for cell in news if (step[cell[0]], g, q) in added]
                if method == "adaptive" and news:
                    bounds = [own[cell][q] + unit[cell] * added[step[cell[0]], g, q] for cell in news]
                    if tau < 0.5:
                        inside = [truth[cell] < b - 1e-12 for cell, b in zip(news, bounds, strict=True)]
                    else:
                        inside = [truth[cell] <= b + 1e-12 for cell, b in zip(news, bounds, strict=True)]
                    missed = Fraction(str(tau)) - Fraction(sum(inside), len(news))
                    level[g, q] = min(max(level[g, q] + Fraction(str(rate)) * missed, Fraction(0)), Fraction(1))
                if time not in cutoffs:
                    continue
                scores = []
                for i, k, c in cells:
                    known = [s for s in cutoffs if s + k + 1 <= time]
                    if step[i] in (known if window is None else known[-window:]) and group[i, k, c] == g:
                        scores.append((truth[i, k, c] - own[i, k, c, q]) / unit[i, k, c])
                if len(scores) < fewest:
                    continue
                exact = (len(scores) + 1) * level[g, q]
                rank = math.floor(exact) if tau < 0.5 else math.ceil(exact)
                added[time, g, q] = sorted(scores)[min(max(rank, 1), len(scores)) - 1]
    for i in range(n):
        for k in range(h):
            for c in range(d):
                for q in range(len(levels)):
                    shift = added.get((int(step[i]), group[i, k, c], q), np.nan)
                    out[i, k, c, q] = own[i, k, c, q] + unit[i, k, c] * shift
    return out


@pytest.mark.parametrize("method", ["split", "adaptive"])
@pytest.mark.parametrize("window", [None, 1, 4])
def test_equals_a_loop_over_every_cutoff(method: str, window: int | None) -> None:
    given = case(1)
    options: dict[str, Any] = {"method": method, "window": window, "fewest": 5, "rate": 0.1}
    found = rolling_conformal(**given, **options)
    expected = np.sort(slow(**given, **options), axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert 0.2 < np.isfinite(found).mean() < 0.95  # some groups knew too little at first


def test_values_that_equal_a_bound_are_inside_on_both_sides() -> None:
    given = case(6, counts=True, cutoffs=30)
    given |= {"own": np.full_like(given["own"], 3.0), "unit": np.array(1.0)}  # scores are whole: ties everywhere
    options: dict[str, Any] = {"method": "adaptive", "fewest": 5, "rate": 0.1}
    found = rolling_conformal(**given, **options)
    np.testing.assert_allclose(found, np.sort(slow(**given, **options), axis=-1), rtol=1e-9)
    moved = found != rolling_conformal(**given, fewest=5)
    assert moved[np.isfinite(found)].any()


def test_a_point_forecaster_is_shifted_by_numpys_quantiles_of_the_errors() -> None:
    rng = np.random.default_rng(0)
    truth, mean = rng.normal(size=(61, 1, 1)), rng.normal(size=(61, 1, 1))
    levels = (0.05, 0.25, 0.5, 0.9)
    own = np.repeat(mean[..., None], len(levels), axis=-1)
    found = rolling_conformal(truth, own, levels, np.arange(61), np.zeros((1, 1, 1), dtype=int), np.array(2.0))
    errors = (truth - mean)[:59, 0, 0]
    ranks = [3, 15, 30, 54]  # of n = 59: floor(60 tau) below one half, ceil(60 tau) above
    expected = [np.quantile(errors, (rank - 0.5) / 59, method="inverted_cdf") for rank in ranks]
    # The last cutoff but one (step 59) knows the truth of the cutoffs 0 .. 58.
    np.testing.assert_allclose(found[59, 0, 0], mean[59, 0, 0] + expected, rtol=1e-9)


def test_ranks_are_not_off_by_a_rounding() -> None:
    # (n + 1) tau is 3.0000000000000004 and 27.000000000000004 as floating-point numbers would have it.
    for n, tau, rank in ((9, 0.3, 3), (29, 0.1, 3), (99, 0.29, 29), (99, 0.57, 57), (49, 0.14, 7)):
        truth = np.append(np.arange(1.0, n + 1), np.nan).reshape(-1, 1, 1)
        step = np.append(np.zeros(n, dtype=int), 1)
        found = rolling_conformal(truth, np.zeros((n + 1, 1, 1, 1)), (tau,), step, np.array(0), np.array(1.0), fewest=2)
        assert found[-1, 0, 0, 0] == rank


def test_beyond_the_scores_the_outermost_is_taken() -> None:
    truth = np.append(np.arange(20.0), np.nan).reshape(-1, 1, 1)
    step = np.append(np.zeros(20, dtype=int), 1)
    found = rolling_conformal(truth, np.zeros((21, 1, 1, 2)), (0.01, 0.99), step, np.array(0), np.array(1.0))
    assert found[-1, 0, 0].tolist() == [0.0, 19.0]
    less = rolling_conformal(truth[1:], np.zeros((20, 1, 1, 2)), (0.01, 0.99), step[1:], np.array(0), np.array(1.0))
    assert np.isnan(less).all()


# ---------------------------------------------------------------- what is promised
def simulated(seed: int, n: int, spread: Any) -> tuple[Any, Any, Any]:
    """Truth around zero whose deviation grows with the horizon, and a distribution too narrow and off to one side."""
    rng = np.random.default_rng(seed)
    deviation = np.sqrt(np.arange(1, 4))[:, None]
    truth = rng.standard_t(5, size=(n, 3, 1)) * deviation * np.broadcast_to(spread, (n,))[:, None, None]
    own = 0.4 + 0.3 * deviation[None, :, :, None] * stats.norm.ppf((0.1, 0.9))
    return truth, np.broadcast_to(own, (n, 3, 1, 2)), np.arange(3)[:, None]


def covered(truth: Any, bounds: Any) -> Any:
    return (truth >= bounds[..., 0]) & (truth <= bounds[..., -1])


@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_coverage_on_exchangeable_errors_by_step_and_side(method: Any) -> None:
    # Among exchangeable scores the ranks of each new one are independent, so hits are binomial (Vovk et al. 2005).
    seeds, n, first = 8, 500, 100
    hits, wrong, sides = np.zeros((seeds, 3)), [], np.zeros((2, 3))
    for seed in range(seeds):
        truth, own, group = simulated(seed, n, 1.0)
        bounds = rolling_conformal(truth, own, (0.1, 0.9), np.arange(n), group, np.array(1.0), method=method)[first:]
        hits[seed] = covered(truth[first:], bounds).mean(axis=(0, 2))
        sides += np.stack(
            [(truth[first:] < bounds[..., 0]).mean((0, 2)), (truth[first:] > bounds[..., 1]).mean((0, 2))]
        )
        wrong.append(covered(truth, own).mean())
    assert np.mean(wrong) < 0.4
    assert 0.78 < hits.mean() < 0.83
    low, high = stats.binom.interval(0.9999, seeds * (n - first), 0.8)
    assert (hits.mean(axis=0) * seeds * (n - first) >= low).all()
    assert (hits.mean(axis=0) * seeds * (n - first) <= high).all()
    np.testing.assert_allclose(sides / seeds, 0.1, atol=0.02)


def test_adaptive_holds_its_coverage_where_the_variance_grows_and_split_does_not() -> None:
    found: dict[str, list[Any]] = {"split": [], "adaptive": []}
    for seed in range(4):
        truth, own, group = simulated(seed, 900, np.where(np.arange(900) < 400, 1.0, 3.0))
        for method, kept in found.items():
            bounds = rolling_conformal(truth, own, (0.1, 0.9), np.arange(900), group, np.array(1.0), method=method)  # type: ignore[arg-type]
            kept.append(covered(truth[500:], bounds[500:]).mean(axis=(0, 2)))
    assert np.mean(found["split"]) < 0.70
    assert (np.mean(found["adaptive"], axis=0) > 0.77).all()
    assert (np.mean(found["adaptive"], axis=0) < 0.83).all()


# ---------------------------------------------------------------- honesty
@pytest.mark.parametrize("method", ["split", "adaptive"])
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_what_comes_later_changes_nothing(method: Any, poison: float) -> None:
    given = case(2)
    clean = rolling_conformal(**given, method=method, fewest=5, window=6)
    for cutoff in np.unique(given["step"])[3::3]:
        truth = given["truth"].copy()
        truth[given["step"][:, None] + np.arange(1, 4) > cutoff] = poison
        found = rolling_conformal(**{**given, "truth": truth}, method=method, fewest=5, window=6)
        upto = given["step"] <= cutoff
        np.testing.assert_array_equal(found[upto], clean[upto])
        assert np.isfinite(clean[upto]).any()


@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_what_is_only_corrected_teaches_nothing(method: Any) -> None:
    given = case(3, cutoffs=20)
    asked = np.isin(given["step"], np.unique(given["step"])[[9, 10, 17]])
    found = rolling_conformal(**given, method=method, fewest=5, window=6, learns=~asked)
    without = {k: v[~asked] if k not in ("levels",) else v for k, v in given.items()}
    others = rolling_conformal(**without, method=method, fewest=5, window=6)
    np.testing.assert_array_equal(found[~asked], others)
    assert np.isfinite(found[asked]).any()


# ---------------------------------------------------------------- counts
@pytest.mark.parametrize("method", ["split", "adaptive"])
def test_counts_are_whole_not_negative_and_hold_what_the_real_interval_holds(method: Any) -> None:
    given = case(4, counts=True, cutoffs=40)
    real = rolling_conformal(**given, method=method)
    whole = rolling_conformal(**given, method=method, counts=True)
    known = np.isfinite(real) & np.isfinite(given["truth"])[..., None]
    assert (whole[known] == np.round(whole[known])).all()
    assert (whole[known] >= 0).all()
    inside, counted = covered(given["truth"], real), covered(given["truth"], whole)
    assert (counted | ~inside)[known[..., 0]].all()
    # The same values unless the interval of the middle levels, 0.3 and 0.5, holds no whole number.
    same = known[..., 0] & (np.floor(real[..., 2]) >= np.ceil(np.maximum(real[..., 1], 0)))
    assert same.sum() > 200
    np.testing.assert_array_equal(counted[same], inside[same])
    assert 0 < inside[same].mean() < 1
    one = rolling_conformal(**given, method=method, counts=np.array([False, True]))
    np.testing.assert_array_equal(one[:, :, 0], real[:, :, 0])
    np.testing.assert_array_equal(one[:, :, 1], whole[:, :, 1])


@settings(max_examples=200)
@given(st.lists(st.floats(-3, 8), min_size=5, max_size=5), st.integers(0, 5))
def test_whole_bounds_keep_the_whole_numbers_of_every_interval(bounds: list[float], lower: int) -> None:
    real = np.sort(bounds)
    levels = np.array([0.1, 0.2, 0.3, 0.4, 0.45])
    levels = np.where(np.arange(5) < lower, levels, levels + 0.5)
    found = whole_bounds(real, levels)
    assert (np.diff(found) >= 0).all()
    assert (found == np.round(found)).all()
    assert (found >= 0).all()
    for i in range(lower):
        for j in range(lower, 5):
            inside = {y for y in range(10) if real[i] <= y <= real[j]}
            got = {y for y in range(10) if found[i] <= y <= found[j]}
            assert inside <= got
            if inside and inside != got:  # it has grown only next to another interval that holds none
                gap = (real > real[lower - 1] - 1) & (real < real[lower] + 1)
                assert gap.any()
                assert np.ceil(max(real[lower - 1], 0)) > np.floor(max(real[lower], 0))


def test_whole_bounds_by_hand() -> None:
    levels = (0.1, 0.9)
    for real, expected in (
        ([1.2, 3.7], [2, 3]),
        ([2.0, 3.0], [2, 3]),
        ([2.3, 2.6], [2, 3]),
        ([2.6, 2.9], [3, 3]),
        ([2.1, 2.4], [2, 2]),
        ([-3.0, -1.0], [0, 0]),
        ([-0.5, 0.4], [0, 0]),
    ):
        assert whole_bounds(np.array(real), levels).tolist() == expected


# ---------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "adaptiv"}, ConfigError, "no conformal method 'adaptiv'.*Did you mean 'adaptive'"),
        ({"window": 0}, ConfigError, "window is a number of cutoffs, at least 1, or None"),
        ({"rate": 0.0}, ConfigError, "rate is a step size above 0 and at most 1, got 0.0"),
        ({"fewest": 0}, ConfigError, "fewest is a number of scores, at least 1"),
        ({"levels": (0.9, 0.1, 0.2, 0.3)}, ConfigError, "ascending fractions between 0 and 1"),
        ({"levels": (0.1, 0.9)}, DataError, r"Expected truth \[N, H, D\], own \[N, H, D, 2\]"),
        ({"unit": np.array(0.0)}, DataError, "Units of scores are above zero, got 0"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        rolling_conformal(**{**case(0), **options})

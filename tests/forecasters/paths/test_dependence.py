"""Correlations are found as they were drawn, through counts too, and are not made up where little is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import foretide as ft
from foretide.errors import ConfigError
from foretide.forecasters.paths.dependence import Dependence
from foretide.forecasters.paths.errors import LEVELS, PastErrors, past_errors, without_season

H = 6


def drawn(mean: float, rho: float, shared: float, *, series: int, origins: int, seed: int = 0) -> PastErrors:
    """Past errors of right distributions: steps have a correlation of ``rho`` to the lag, series one of ``shared``."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(rho ** np.abs(np.subtract.outer(np.arange(H), np.arange(H))))
    common, own = rng.normal(size=(origins, 1, H)) @ root.T, rng.normal(size=(origins, series, H)) @ root.T
    score = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    law = stats.poisson(mean) if mean < 50 else stats.norm(mean, 5)
    truth = law.ppf(stats.norm.cdf(score)).reshape(-1, H, 1)
    quantiles = np.broadcast_to(law.ppf(LEVELS), (*truth.shape, len(LEVELS)))
    entity = np.tile(np.arange(series), origins)
    return past_errors(quantiles, truth, entity, np.repeat(np.arange(origins) * H, series))


@pytest.mark.parametrize("mean", [0.1, 0.5, 4.0, 100.0])
def test_correlations_are_found_whatever_the_counts_hide(mean: float) -> None:
    ids = tuple(f"s{k}" for k in range(30))
    found = Dependence.fit(drawn(mean, 0.6, 0.3, series=30, origins=400), ids)
    lag = np.abs(np.subtract.outer(np.arange(H), np.arange(H)))
    part = float(np.square(found.loadings[:-1]).sum(axis=-1).mean())
    assert part == pytest.approx(0.3, abs=0.07)
    whole = part * found.common + (1 - part) * found.own
    for k in (1, 2, 5):
        assert whole[lag == k].mean() == pytest.approx(0.6**k, abs=0.07)


def test_what_is_not_there_is_not_found() -> None:
    ids = tuple(f"s{k}" for k in range(30))
    found = Dependence.fit(drawn(2.0, 0.0, 0.0, series=30, origins=60), ids)
    apart = ~np.eye(H, dtype=bool)
    assert (np.abs(found.own[apart]).max() * found.strength).mean() < 0.08
    assert np.square(found.loadings).sum(axis=-1).mean() < 0.03
    together = found.loadings[:-1, 0] @ found.loadings[:-1, 0].T
    assert np.abs(together[~np.eye(30, dtype=bool)]).mean() < 0.02


def test_one_window_says_half_and_none_says_nothing() -> None:
    few, many = (Dependence.fit(drawn(100.0, 0.9, 0.0, series=1, origins=n, seed=1), ("s0",)) for n in (1, 200))
    assert many.own[0, 1] == pytest.approx(0.9, abs=0.06)
    assert few.windows == pytest.approx(1.0)
    assert np.abs(few.own[~np.eye(H, dtype=bool)]).max() < 0.6
    silent = drawn(100.0, 0.9, 0.0, series=2, origins=3)
    nothing = past_errors(np.zeros((6, H, 1, 25)), np.zeros((6, H, 1)), silent.entity, silent.step)
    assert np.array_equal(Dependence.fit(nothing, ("s0", "s1")).own, np.eye(H))


def test_many_series_take_the_mean_correlation() -> None:
    series = 250
    found = Dependence.fit(drawn(1.0, 0.3, 0.2, series=series, origins=60), tuple(f"s{k}" for k in range(series)))
    assert found.loadings.shape == (series + 1, 1, 1)
    assert found.loadings[-1, 0, 0] ** 2 == pytest.approx(0.2, abs=0.08)


def test_two_groups_against_each_other_are_told_apart_though_the_mean_correlation_is_none() -> None:
    rng, series = np.random.default_rng(6), 20
    sign = np.where(np.arange(series) % 2, 1.0, -1.0)
    score = np.sqrt(0.4) * sign[:, None] * rng.normal(size=(25, 1, H)) + np.sqrt(0.6) * rng.normal(size=(25, series, H))
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (25 * series, H, 1, len(LEVELS)))
    entity, step = np.tile(np.arange(series), 25), np.repeat(np.arange(25) * H, series)
    past = past_errors(quantiles, score.reshape(-1, H, 1), entity, step)
    found = Dependence.fit(past, tuple(f"s{k}" for k in range(series))).loadings[:-1, 0]
    apart = ~np.eye(series, dtype=bool)
    assert np.mean((found @ found.T * np.outer(sign, sign))[apart]) == pytest.approx(0.4, abs=0.1)


def test_series_that_remember_are_told_from_those_that_do_not() -> None:
    """Half of the series have steps with a correlation of 0.6, half have independent ones."""
    ids = tuple(f"s{k}" for k in range(20))
    long, none = (drawn(100.0, rho, 0.0, series=10, origins=60, seed=seed) for seed, rho in ((7, 0.6), (8, 0.0)))
    fields = {k: np.concatenate([getattr(one, k) for one in (long, none)]) for k in vars(long)}
    fields["entity"] = np.concatenate([long.entity, none.entity + 10])
    found = Dependence.fit(PastErrors(**fields), ids)
    lag = np.abs(np.subtract.outer(np.arange(H), np.arange(H)))
    first = found.own[lag == 1].mean() * found.strength[:, 0]
    assert first[:10] == pytest.approx(0.6, abs=0.12)
    assert first[10:20] == pytest.approx(0.0, abs=0.12)
    assert first[20] == pytest.approx(0.3, abs=0.08)  # a new one is as the mean of all
    assert np.linalg.eigvalsh(found.own)[0] > 0


def test_a_bias_of_a_weekday_is_no_dependence() -> None:
    ids = tuple(f"s{k}" for k in range(20))
    past = drawn(100.0, 0.0, 0.0, series=20, origins=70)
    weekday = (past.step[:, None] + np.arange(1, H + 1)) % 7
    bias = 8.0 * ((weekday == 3) - 1 / 7)[..., None]  # on average none
    biased = replace(past, error=past.error - bias * past.weight)
    with_it, without = (Dependence.fit(one, ids) for one in (biased, without_season(biased, 7)))
    together = [one.loadings[:-1, 0] @ one.loadings[:-1, 0].T for one in (with_it, without)]
    mean = [float(one[~np.eye(20, dtype=bool)].mean()) for one in together]
    assert mean[0] > 0.15
    assert abs(mean[1]) < 0.03


def test_it_is_learned_once_paths_are_drawn_or_the_model_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    fit = Dependence.fit
    monkeypatch.setattr(Dependence, "fit", lambda past, ids: (asked.append(len(past.step)), fit(past, ids))[1])
    panel = ft.synthetic.hourly(T=300, n_series=3, seed=1).panel
    model = ft.SeasonalNaive(h=6, season=24).fit(panel)
    forecast = model.predict(panel)
    assert not asked
    paths = forecast.sample(20)
    again = forecast.sample(20)
    assert len(asked) == 1
    ft.SeasonalNaive(h=6, season=24).fit(panel).save(tmp_path / "model")
    loaded = ft.load(tmp_path / "model").predict(panel).sample(20)
    assert len(asked) == 2
    np.testing.assert_array_equal(paths, again)
    np.testing.assert_array_equal(paths, loaded)


def test_a_short_table_has_paths_and_an_old_artifact_says_what_to_do(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=7)
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": [3.0, 4, 3, 5, 4, 4, 6]})
    panel = ft.Panel.from_frame(frame)
    model = ft.WindowMean(h=5).fit(panel)
    assert np.isfinite(model.predict(panel).sample(20)).all()
    model.save(tmp_path / "model")
    again = ft.load(tmp_path / "model")
    assert again._fitted is not None
    assert again._fitted.dependence is not None
    facts = json.loads(json.dumps(again._fitted.facts(), default=str))
    assert facts.pop("dependence") is not None
    again._fitted = replace(again._fitted, dependence=None)  # as it was saved before
    with pytest.raises(ConfigError, match=r"Fit it again: model.fit\(panel\)"):
        again.predict(panel).sample()


def test_the_rounding_of_a_large_value_is_no_width() -> None:
    """A constant of 1e15 has quantiles that differ in their last bit; nothing can be learned from it."""
    past = drawn(4.0, 0.6, 0.3, series=4, origins=60)
    quantiles = np.broadcast_to(np.where(np.arange(len(LEVELS)) % 2, 1e15, 1e15 + 0.125), (60, H, 1, len(LEVELS)))
    large = past_errors(quantiles, np.full((60, H, 1), 1e15), np.full(60, 4), np.arange(60) * H)
    assert not large.weight.any()
    both = PastErrors(*(np.concatenate([getattr(past, f), getattr(large, f)]) for f in PastErrors.__dataclass_fields__))
    found, alone = Dependence.fit(both, tuple("abcde")), Dependence.fit(past, tuple("abcd"))
    np.testing.assert_allclose(found.own, alone.own, atol=0.05)
    assert np.isfinite(found.loadings).all()

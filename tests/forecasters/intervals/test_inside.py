"""Errors of windows that were learned from, beside those held back: a slow loop, and coverage on draws made here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.forecasters.intervals.distribution import Errors
from foretide.forecasters.intervals.inside import MOST, POWER, SPAN, TIMES, beside, latest


def drawn(windows: int, first: int, seed: int) -> Errors:
    rng = np.random.default_rng(seed)
    mean = rng.uniform(5, 50, (windows, 4, 3))
    truth = mean + rng.normal(0, 2, mean.shape)
    truth[0, 0, 0] = np.nan
    truth[:, :, 1] = np.where(rng.random((windows, 4)) < 0.3, 0.0, truth[:, :, 1])
    return Errors(mean, truth, np.arange(windows) % 2, first + np.arange(windows))


def test_errors_inside_are_scaled_as_a_slow_loop_does_it() -> None:
    inside, held = drawn(12, 0, 1), drawn(4, 20, 2)
    found = beside(held, inside, np.array([True, True, False]), 2)
    gap = inside.truth - inside.mean
    for w in range(12):
        last = int(np.flatnonzero(held.entity == inside.entity[w])[-1])
        gap[w] *= (np.abs(held.mean[last]).mean(axis=0) / np.abs(inside.mean[w]).mean(axis=0)) ** POWER
    own = [np.nanmean(np.abs(gap[inside.entity == i, :, 0])) for i in range(2)]
    theirs = [np.nanmean(np.abs((held.truth - held.mean)[held.entity == i, :, 0])) for i in range(2)]
    ratio = np.mean([min(t / o, MOST) for t, o in zip(theirs, own, strict=True)])
    np.testing.assert_allclose(found.truth[:12, :, 0], inside.mean[..., 0] + ratio * gap[..., 0])
    np.testing.assert_array_equal(found.truth[:12, :, 1], inside.truth[..., 1])  # it has zeros
    assert np.isnan(found.truth[:12, :, 2]).all()  # a count
    for name in ("mean", "entity", "step"):
        np.testing.assert_array_equal(
            getattr(found, name), np.concatenate([getattr(inside, name), getattr(held, name)])
        )
    np.testing.assert_array_equal(found.truth[12:], held.truth)


def test_without_windows_inside_nothing_changes() -> None:
    held = drawn(4, 20, 2)
    assert beside(held, held.take(np.zeros(0, dtype=np.int64)), np.array([True, True, False]), 2) is held


def test_the_newest_windows_inside_count() -> None:
    inside, held = drawn(31, 0, 3), drawn(3, 40, 4)
    shuffled = np.random.default_rng(0).permutation(31)
    found = latest(held, inside.take(shuffled), 2)
    expected = []
    for entity, n in ((0, 2), (1, 1)):
        mine = [k for k in range(31) if inside.entity[k] == entity]
        expected += sorted(mine, key=lambda k: -inside.step[k])[: max(TIMES * n, SPAN * 4)]
    assert sorted(shuffled[found].tolist()) == sorted(expected)
    assert (np.diff(found) > 0).all()
    assert not len(latest(held.take(np.zeros(0, dtype=np.int64)), inside, 2))


def test_a_regime_gone_by_does_not_widen_the_intervals() -> None:
    """Wild errors of the first half of the history are not those to come."""
    rng, rows, h = np.random.default_rng(5), 400, 7
    noise = np.where(np.arange(rows)[:, None] < 200, 60.0, 5.0)
    values = np.round(np.maximum(100 + noise * rng.normal(size=(rows, 8)), 0)) / 2
    ds = pd.date_range("2022-01-03", periods=rows)
    frame = pd.concat([pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": values[:, i]}) for i in range(8)])
    model = ft.LAVAR(h, epochs=0, head_epochs=0, effects=False, calendar=None)
    forecast = model.fit(ft.Panel.from_frame(frame)).predict(frame, levels=80)
    width = (forecast.quantile(0.9) - forecast.quantile(0.1)).mean()
    assert 0.8 < width / (2 * 1.2816 * 2.5) < 1.4


@pytest.mark.parametrize("seed", [711, 712])
def test_one_held_back_origin_gives_intervals_that_cover(seed: int) -> None:
    rng, h, rows = np.random.default_rng(seed), 12, 96
    level = np.exp(np.cumsum(rng.normal(0.003, 0.04, (rows, 60)), axis=0) + rng.normal(5, 1, 60))
    season = 1 + 0.3 * np.sin(2 * np.pi * (np.arange(rows)[:, None] / 12 + rng.random(60)))
    values = level * season * np.exp(rng.normal(0, 0.05, (rows, 60)))
    ds = pd.date_range("2015-01-01", periods=rows, freq="MS")
    frame = pd.concat([pd.DataFrame({"unique_id": f"s{i:02d}", "ds": ds, "y": values[:, i]}) for i in range(60)])
    panel = ft.Panel.from_frame(frame)
    model = ft.LAVAR(h, epochs=0, head_epochs=0, effects=False).fit(panel, until=ds[rows - h - 1])
    forecast = model.predict(panel, [ds[rows - h - 1]], levels=80)
    truth = values[rows - h :].T
    low, high = (forecast.quantile(q)[:, :, 0] for q in (0.1, 0.9))
    assert 0.7 <= ((truth >= low) & (truth <= high)).mean() <= 0.9

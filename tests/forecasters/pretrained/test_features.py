"""What the network sees does not depend on units, on neighbours, or on empty rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecasters.pretrained.features import MEMBER, WINDOW, Seen, seen
from foretide.forecasters.pretrained.network import weighed
from foretide.forecasters.pretrained.pretrained import shipped

STEPS = np.array([1, 2, 5, 9])
RNG = np.random.default_rng(0)
ODD: dict[str, np.ndarray] = {
    "zeros": np.zeros(20),
    "one value": np.r_[np.full(9, np.nan), 5.0],
    "constant": np.full(30, 7.0),
    "three rows": np.array([1.0, 4.0, 2.0]),
    "mostly missing": np.where(RNG.random(40) < 0.8, np.nan, RNG.normal(size=40)),
    "one jump": np.r_[np.zeros(30), 1e9],
    "tiny": RNG.normal(size=30) * 1e-200,
    "growth": 2.0 ** np.arange(60),
    "falling": np.linspace(10, -10, 25),
    "counts": RNG.poisson(0.2, 50).astype(float),
}  # fmt: skip


def window(season: int = 4, length: int = 21, n: int = 3) -> np.ndarray:
    t = np.arange(length)[:, None]
    return 5 + 2 * np.sin(2 * np.pi * t / season + np.arange(n)) + np.random.default_rng(1).normal(size=(length, n))


def the_same(a: Seen, b: Seen) -> None:
    for name in ("members", "window", "forecasts", "size", "recent", "scale"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-9, err_msg=name)


@pytest.mark.parametrize("season", [1, 4, 12, 50])
def test_shapes(season: int) -> None:
    found = seen(window(), season, STEPS)
    assert found.members.shape == (3, 4, len(found.forecasts[0, 0]), MEMBER)
    assert found.window.shape == (3, 4, WINDOW)


@pytest.mark.parametrize(
    "change",
    [lambda y: y * 1024, lambda y: np.concatenate([np.full((7, 3), np.nan), y]), lambda y: y[:, [0, 1, 2]]],
    ids=["unit", "empty rows", "copy"],
)
def test_neither_the_unit_nor_empty_rows_matter(change: Callable[[np.ndarray], np.ndarray]) -> None:
    y = window()
    y[5, 1] = np.nan
    the_same(seen(y, 4, STEPS), seen(change(y), 4, STEPS))


def test_neighbours_do_not_matter() -> None:
    y = window()
    whole = weighed(shipped(), seen(y, 4, STEPS))
    for i in range(3):
        np.testing.assert_allclose(weighed(shipped(), seen(y[:, [i]], 4, STEPS))[0], whole[i], rtol=1e-9)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("season", [1, 7])
def test_odd_series_get_ordered_and_finite_quantiles_within_reason(name: str, season: int) -> None:
    y = ODD[name]
    found = weighed(shipped(), seen(y[:, None], season, STEPS))
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=-1) >= 0).all()
    assert np.abs(found).max() <= 100 * np.nanmax(np.abs(y)) + 1e-3
    if np.nanmin(y) >= 0:
        assert (found >= 0).all()


def test_the_forecast_is_the_mean_of_two_networks_that_differ() -> None:
    weights, found = shipped(), seen(window(), 4, STEPS)
    single = [weighed({n: a for n, a in weights.items() if n.startswith(k)}, found) for k in ("0.", "1.")]
    assert {name[:2] for name in weights} == {"0.", "1."}
    assert np.abs(single[0] - single[1]).max() > 0.01
    np.testing.assert_allclose(weighed(weights, found), np.mean(single, axis=0))


def test_values_of_the_seasons_before_are_seen_at_their_step() -> None:
    y = np.tile(np.array([0.0, 10.0, 20.0, 30.0]), 5)[:, None] + 5.0
    y[-3] = 99.0  # the value one season before the second step
    before, after = (seen(values, 4, np.array([1, 2])).window[0, :, 30] for values in (np.where(y == 99, 15.0, y), y))
    assert abs(after[1] - before[1]) > 0.1
    assert after[1] > after[0]

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from foretide.models.closed_form import Moments
from foretide.models.pooled_map import Frame, PooledMap, Store, robust, with_deviations

SIZE, H = 5, 2


def store(season: int = 1) -> Store:
    """Two entities of two channels, each series an autoregression of its own sign."""
    rng = np.random.default_rng(0)
    values = 0.3 * rng.normal(size=(130, 2))
    for t in range(1, 130):
        if t != 70:
            values[t] += values[t - 1] * [0.8, -0.8]
    return Store.of(values.astype(np.float32), np.array([70, 60]), season)


def rows_of(kept: Store) -> NDArray[Any]:
    place = np.arange(len(kept.values)) - kept.begin
    length = np.bincount(kept.series)[kept.series]
    return np.flatnonzero((place >= SIZE - 1) & (place + H < length))


def test_channels_stand_behind_each_other() -> None:
    kept = store()
    assert kept.n_series == 4
    assert kept.series[[0, 70, 130, 200]].tolist() == [0, 1, 2, 3]
    assert kept.begin[[69, 70, 129, 130, 259]].tolist() == [0, 70, 70, 130, 200]


def test_windows_are_lags_less_their_level() -> None:
    kept = store(season=3)
    row = 80
    x, level = kept.windows(np.array([row]), Frame(SIZE, "last"))
    np.testing.assert_allclose(x[0], kept.values[row - SIZE + 1 : row + 1] - kept.values[row])
    x, level = kept.windows(np.array([row]), Frame(SIZE, "season"))
    np.testing.assert_allclose(level[0], kept.values[row - 2 : row + 1].mean())
    np.testing.assert_allclose(x[0], kept.values[row - SIZE + 1 : row + 1] - level[0])
    np.testing.assert_array_equal(kept.ahead(np.array([row]), H)[0], kept.values[row + 1 : row + 1 + H])


def test_what_is_before_a_series_is_nothing() -> None:
    kept = store(season=3)
    for level in ("last", "season"):
        x, taken = kept.windows(np.array([71]), Frame(SIZE, level))  # the second row of the second series
        expected = kept.values[71] if level == "last" else kept.values[70:72].mean()
        np.testing.assert_allclose(taken[0], expected)
        np.testing.assert_allclose(x[0], [0, 0, 0, *(kept.values[70:72] - expected)])


def test_deviations_are_ridge_on_the_residuals_of_each_series() -> None:
    kept, frame = store(), Frame(SIZE, "last")
    rows = rows_of(kept)
    path = Moments.of(kept.blocks(rows, H, frame)).path()
    base = PooledMap.shared(frame, *path.solve(0.1))
    (own,) = with_deviations(base, path, kept, rows, (3.0,))
    x, level = kept.windows(rows, frame)
    y = kept.ahead(rows, H) - level[:, None]
    for i in range(4):
        mine = kept.series[rows] == i
        read = (x[mine] - x.mean(axis=0)) @ path.basis
        left = y[mine] - x[mine] @ base.weights - base.intercept
        extra = np.sqrt(3.0 * path.eigenvalues.mean() / 4) * np.eye(SIZE)
        design, truth = np.concatenate([read, extra]), np.concatenate([left, np.zeros((SIZE, H))])
        solved = np.linalg.lstsq(design, truth, rcond=None)[0]
        np.testing.assert_allclose(own.own[i], solved, atol=1e-8)
        expected = x[mine] @ base.weights + base.intercept + read @ solved + level[mine, None]
        np.testing.assert_allclose(own.forecast(kept, rows[mine], kept.series[rows[mine]]), expected, atol=1e-8)


def test_a_new_series_gets_the_shared_map() -> None:
    kept, frame = store(), Frame(SIZE, "last")
    rows = rows_of(kept)
    path = Moments.of(kept.blocks(rows, H, frame)).path()
    base = PooledMap.shared(frame, *path.solve(0.1))
    (own,) = with_deviations(base, path, kept, rows, (3.0,))
    np.testing.assert_array_equal(own.forecast(kept, rows, None), base.forecast(kept, rows, None))
    assert np.abs(own.forecast(kept, rows, kept.series[rows]) - base.forecast(kept, rows, None)).max() > 0.1


def test_one_series_does_not_differ_from_itself() -> None:
    kept = Store.of(np.random.default_rng(0).normal(size=(60, 1)), np.array([60]), 1)
    rows = rows_of(kept)
    path = Moments.of(kept.blocks(rows, H, Frame(SIZE, "last"))).path()
    base = PooledMap.shared(Frame(SIZE, "last"), *path.solve(0.1))
    assert not list(with_deviations(base, path, kept, rows, (3.0,)))


def test_windows_gone_wrong_count_once_in_a_robust_map() -> None:
    rng = np.random.default_rng(1)
    values = 0.3 * rng.normal(size=(400, 1))
    for t in range(1, 400):
        values[t] += 0.9 * values[t - 1]
    values[300:308] += 4.0
    kept, frame, rows = Store.of(values, np.array([400]), 1), Frame(2, "last"), np.arange(40, 390)
    (x, y), *_ = kept.blocks(rows, H, frame)
    squares = PooledMap.shared(frame, *Moments.of([(x, y)]).path().solve(1e-6))

    def size(one: NDArray[Any]) -> float:
        found = one.reshape(3, H)
        return float(np.sqrt(np.mean((y - x @ found[:-1] - found[-1]) ** 2, axis=1)).mean())

    def flat(one: PooledMap) -> NDArray[Any]:
        return np.append(one.weights.ravel(), one.intercept)

    made = robust(squares, kept, rows, 1e-6)
    least, before = minimize(size, flat(squares)).fun, size(flat(squares))
    assert size(flat(made)) < least + 0.2 * (before - least)
    half = squares.towards(made, 0.5)
    np.testing.assert_allclose(flat(half), 0.5 * flat(squares) + 0.5 * flat(made))

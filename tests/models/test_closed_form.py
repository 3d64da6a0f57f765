from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.models import closed_form
from foretide.models.closed_form import PENALTIES, Moments, chunks, future_rows, lagged_rows, ridge_path


def data(n: int = 60, p: int = 5, q: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) + 10.0 * rng.normal(size=p)
    y = x @ rng.normal(size=(p, q)) + rng.normal(size=(n, q)) - 7.0
    return x, y


@pytest.mark.parametrize("penalty", [PENALTIES[0], 1e-2, 1.0, PENALTIES[-1]])
def test_ridge_is_the_minimum_of_its_objective(penalty: float) -> None:
    # Twin: the intercept as a column of ones that is not penalised, the penalty as further rows of the regression.
    x, y = data()
    centred = x - x.mean(axis=0)
    absolute = penalty * np.trace(centred.T @ centred) / x.shape[1]
    rows = np.block([[x, np.ones((len(x), 1))], [np.sqrt(absolute) * np.eye(5), np.zeros((5, 1))]])
    expected = np.linalg.lstsq(rows, np.concatenate([y, np.zeros((5, 3))]), rcond=None)[0]
    weights, intercept = ridge_path([(x, y)]).solve(penalty)
    np.testing.assert_allclose(weights, expected[:-1], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(intercept, expected[-1], rtol=1e-7, atol=1e-8)


def test_no_penalty_is_least_squares() -> None:
    x, y = data()
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    weights, intercept = ridge_path([(x, y)]).solve(0.0)
    np.testing.assert_allclose(weights, expected[:-1], rtol=1e-7)
    np.testing.assert_allclose(intercept, expected[-1], rtol=1e-7)


def test_blocks_are_the_same_as_one_block() -> None:
    x, y = data()
    whole = ridge_path([(x, y)])
    blocks = ridge_path((x[a:b], y[a:b]) for a, b in ((0, 1), (1, 30), (30, 30), (30, 60)))
    for penalty in (1e-3, 1.0):
        for one, other in zip(whole.solve(penalty), blocks.solve(penalty), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-10)


def test_float32_rows_are_summed_in_float64() -> None:
    x, y = data(4000)
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    expected = ridge_path([(x32.astype(np.float64), y32.astype(np.float64))]).solve(1e-3)
    np.testing.assert_array_equal(ridge_path([(x32, y32)]).solve(1e-3)[0], expected[0])


def test_columns_that_do_not_vary_get_no_weight() -> None:
    x, y = data()
    x[:, 2] = 4.0
    weights, intercept = ridge_path([(x, y)]).solve(1e-6)
    assert np.abs(weights[2]).max() < 1e-6
    assert np.isfinite(intercept).all()
    flat, mean = ridge_path([(np.zeros((9, 2)), y[:9])]).solve(1e-6)
    np.testing.assert_array_equal(flat, 0)
    np.testing.assert_allclose(mean, y[:9].mean(axis=0))


def test_no_rows() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        ridge_path([])


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 3), st.integers(0, 10_000))
def test_rows_agree_with_slow_loops(size: int, h: int, n_columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(size + h + 8, n_columns))
    rows = np.sort(rng.integers(size - 1, len(values) - h, size=5))
    past, future = lagged_rows(values, rows, size), future_rows(values, rows, h)
    assert past.shape == (5, n_columns, size)
    assert future.shape == (5, n_columns, h)
    for i, row in enumerate(rows):
        for c in range(n_columns):
            assert past[i, c].tolist() == [values[row - size + 1 + k, c] for k in range(size)]
            assert future[i, c].tolist() == [values[row + 1 + k, c] for k in range(h)]


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000])
def test_chunks_cover_all_rows_once(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "CHUNK_BYTES", 8 * 10 * 70)
    rows = np.arange(n) * 3
    parts = list(chunks(rows, 10))
    assert [r for part in parts for r in part] == rows.tolist()
    assert all(0 < len(part) <= 70 for part in parts)


def test_chunks_stay_near_their_size() -> None:
    width = 60 * 3
    parts = list(chunks(np.arange(100_000), width))
    assert max(len(p) for p in parts) * width * 8 <= closed_form.CHUNK_BYTES
    assert len(parts) > 1


def test_moments_of_parts_add_up_and_can_be_taken_away() -> None:
    x, y = data()
    first, rest = Moments.of([(x[:25], y[:25])]), Moments.of([(x[25:], y[25:])])
    for penalty in (1e-6, 0.1):
        expected = ridge_path([(x[25:], y[25:])]).solve(penalty)
        for got in (*rest.solve((penalty,)), *(first + rest - first).solve((penalty,))):
            np.testing.assert_allclose(got[0], expected[0], rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(got[1], expected[1], rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match="at least one row"):
        (first - first).path()


def test_squared_errors_of_a_map_need_no_rows() -> None:
    x, y = data()
    weights, intercept = ridge_path([(x[:30], y[:30])]).solve(0.01)
    expected = float(((y[30:] - x[30:] @ weights - intercept) ** 2).sum())
    assert Moments.of([(x[30:], y[30:])]).squared_error(weights, intercept) == pytest.approx(expected, rel=1e-8)
    assert Moments.of([]).squared_error(weights, intercept) == 0.0

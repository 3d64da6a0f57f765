from __future__ import annotations

import numpy as np
import pytest

from foretide.forecasters.lavar.sums import WIDE, discounted, numbers


@pytest.mark.parametrize("columns", [1, WIDE - 1, WIDE, 2 * WIDE])
def test_discounted_sums_are_the_same_beside_many_series_as_alone(columns: int) -> None:
    values = np.random.default_rng(0).normal(size=(30, columns))
    alone = np.column_stack([discounted(values[:, [s]], 0.2) for s in range(columns)])
    np.testing.assert_array_equal(discounted(values, 0.2), alone)


def test_discounted_sums_leave_the_values_as_they_are() -> None:
    values = np.ones((5, WIDE))
    discounted(values, 0.5)
    assert (values == 1).all()


def test_numbers_are_zero_where_nothing_is_known() -> None:
    np.testing.assert_array_equal(numbers(np.array([1.0, np.nan])), [1.0, 0.0])

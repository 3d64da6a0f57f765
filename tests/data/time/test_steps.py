"""Days without weekends are business days only where a weekend could have been there."""

from __future__ import annotations

import pandas as pd
import pytest

from foretide.data.time.steps import _no_weekend


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2024-01-01", "2024-01-05", False),  # Monday to Friday of one week
        ("2024-01-04", "2024-01-09", True),
        ("2024-01-01", "2024-02-20", True),
    ],
)
def test_business_days_need_a_weekend_between_them(first: str, last: str, expected: bool) -> None:
    times = pd.bdate_range(first, last).as_unit("ns").asi8
    assert _no_weekend(times) is expected
    assert not _no_weekend(pd.date_range("2024-01-01", "2024-01-09").as_unit("ns").asi8)

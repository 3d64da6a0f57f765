from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.data.splits import split, split_at
from foretide.errors import ConfigError, DataError


def panel(n: int = 100, freq: str = "h", tail: int = 0) -> Panel:
    y = np.random.default_rng(0).normal(size=n + tail)
    y[n:] = np.nan
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=n + tail, freq=freq), "y": y, "f": range(n + tail)})
    return Panel.from_wide(frame, target="y", future=["f"])


@settings(max_examples=60)
@given(n=st.integers(20, 400), train=st.integers(10, 80), val=st.integers(0, 15))
def test_parts_follow_one_another_and_cover_everything(n: int, train: int, val: int) -> None:
    found = split(panel(n), (train / 100, val / 100, 1 - train / 100 - val / 100)) if n >= 100 else split(panel(n))
    assert sum(found.sizes) == n
    bounds = [found.bounds(p) for p in ("train", "val", "test")]
    assert bounds[0][0] == 0
    assert bounds[2][1] == n - 1
    assert bounds[0][1] + 1 == bounds[1][0]
    assert bounds[1][1] + 1 == bounds[2][0]


@pytest.mark.parametrize(
    ("n", "sizes"), [(100, (70, 15, 15)), (2000, (1400, 300, 300)), (17, (11, 3, 3)), (1000, (700, 150, 150))]
)
def test_default_fractions(n: int, sizes: tuple[int, int, int]) -> None:
    assert split(panel(n)).sizes == sizes


def test_times_of_the_ends() -> None:
    found = split(panel(100))
    assert found.train_until == pd.Timestamp("2024-01-03 21:00")
    assert found.val_until == pd.Timestamp("2024-01-04 12:00")
    assert found.test_until == pd.Timestamp("2024-01-05 03:00")
    assert found.to_dict() == {
        "train_until": "2024-01-03 21:00:00", "val_until": "2024-01-04 12:00:00", "test_until": "2024-01-05 03:00:00",
        "sizes": {"train": 70, "val": 15, "test": 15},
    }  # fmt: skip


def test_dates_give_the_same_split_as_fractions() -> None:
    by_date = split_at(panel(100), train_until="2024-01-03 21:45", val_until="2024-01-04 12:00")
    assert by_date == split(panel(100))
    assert split_at(panel(100), train_until="2024-01-03 21:00").sizes == (70, 0, 30)
    assert split_at(panel(100), train_until="2024-01-02", test_until="2024-01-03").sizes == (25, 0, 24)


def test_known_future_rows_belong_to_no_part() -> None:
    assert split(panel(100, tail=24)).test_end == 99


def test_windows_stay_in_their_part_but_may_look_back() -> None:
    p, (size, h) = panel(100), (12, 5)
    found = split(p)
    steps = {part: found.windows(p, part, input_size=size, h=h).steps(p) for part in ("train", "val", "test")}
    assert (steps["train"].min(), steps["train"].max()) == (size - 1, 69 - h)
    assert (steps["val"].min(), steps["val"].max()) == (69, 84 - h)
    assert (steps["test"].min(), steps["test"].max()) == (84, 99 - h)
    with pytest.raises(ConfigError, match="Expected one of train, val, test; got 'tets'"):
        found.bounds("tets")


def test_ragged_entities_share_the_boundaries() -> None:
    days = pd.date_range("2024-01-01", periods=50)
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"unique_id": i, "ds": days[a:b], "y": rng.normal(size=b - a)})
        for i, (a, b) in enumerate([(10, 50), (0, 20), (30, 45)])
    ]
    found = split(Panel.from_frame(pd.concat(parts)), (0.5, 0.25, 0.25))
    assert (found.start, found.train_end, found.val_end, found.test_end) == (0, 24, 36, 49)
    assert found.train_until == days[24]


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ((0.7, 0.2, 0.2), r"sum to 1; \(0.7, 0.2, 0.2\) sum to 1.1. Try \(0.7, 0.15, 0.15\)"),
        ((0.7, 0.3), "three numbers from 0 to 1"),
        ((1.2, -0.1, -0.1), "three numbers from 0 to 1"),
        ((0.001, 0.5, 0.499), "training part is empty"),
        ((0.99, 0.005, 0.005), "validation part is empty"),
        ((0.85, 0.15, 0.0), None),
    ],
)
def test_wrong_fractions(fractions: tuple[float, ...], message: str | None) -> None:
    if message is None:
        assert split(panel(100), fractions).sizes == (85, 15, 0)
        return
    with pytest.raises(ConfigError, match=message):
        split(panel(100), fractions)


def test_parts_shorter_than_the_horizon_and_wrong_dates() -> None:
    assert split(panel(100), h=15).sizes == (70, 15, 15)
    assert split(panel(100), h=16).sizes == (68, 16, 16)
    with pytest.raises(ConfigError, match="validation part has 15 steps and the horizon is h=40"):
        split(panel(100), h=40)
    with pytest.raises(ConfigError, match="test part has 3 steps"):
        split_at(panel(100), train_until="2024-01-05 00:00", h=10)
    with pytest.raises(ConfigError, match=r"train_until=2025-01-01 lies outside.*2024-01-01 00:00:00 to 2024-01-05 03"):
        split_at(panel(100), train_until="2025-01-01")
    with pytest.raises(ConfigError, match="train_until <= val_until <= test_until, got train_until=2024-01-04"):
        split_at(panel(100), train_until="2024-01-04", val_until="2024-01-02")
    with pytest.raises(ConfigError, match="test part is empty"):
        split_at(panel(100), train_until="2024-01-03", val_until="2024-01-05 03:00")
    with pytest.raises(DataError, match="Expected a time such as"):
        split_at(panel(100), train_until="soon")


def test_integer_time() -> None:
    frame = pd.DataFrame({"ds": np.arange(10, 60), "y": np.random.default_rng(0).normal(size=50)})
    p = Panel.from_frame(frame, id=None)
    assert split(p).to_dict()["train_until"] == 44
    assert split_at(p, train_until=19).sizes == (10, 0, 40)

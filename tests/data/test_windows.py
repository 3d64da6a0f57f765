from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.data.windows import at_cutoffs, observed_at, slide, spaced, truth_of
from foretide.errors import ConfigError, DataError


def ragged(sizes: list[int], starts: list[int], tail: int = 0) -> Panel:
    rng = np.random.default_rng(0)
    parts = []
    for i, (n, s) in enumerate(zip(sizes, starts, strict=True)):
        y = rng.normal(size=n + tail)
        y[n:] = np.nan
        ds = pd.date_range("2024-01-01", periods=s + n + tail, freq="h")[s:]
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": y, "f": rng.normal(size=n + tail)}))
    return Panel.from_frame(pd.concat(parts), future=["f"], freq="h")


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=4), data=st.data(), size=st.integers(1, 6),
    h=st.integers(1, 4), stride=st.integers(1, 5), tail=st.integers(0, 3),
)  # fmt: skip
def test_windows_agree_with_a_loop(
    sizes: list[int], data: st.DataObject, size: int, h: int, stride: int, tail: int
) -> None:
    starts = [data.draw(st.integers(0, 10)) for _ in sizes]
    panel = ragged(sizes, starts, tail)
    low = data.draw(st.none() | st.integers(0, 20))
    high = data.draw(st.none() | st.integers(0, 30))
    found = slide(panel, input_size=size, h=h, first_target=low, last_target=high, stride=stride)
    expected = []
    for i, n in enumerate(sizes):
        first = int(panel.first[i])
        legal = [
            c for c in range(size - 1, n - h)
            if (low is None or first + c + 1 >= low) and (high is None or first + c + h <= high)
        ]  # fmt: skip
        expected += [(i, c) for c in legal if (legal[-1] - c) % stride == 0]
    assert list(zip(found.entity.tolist(), found.cutoff.tolist(), strict=True)) == expected


def test_rows_and_steps() -> None:
    panel = ragged([10, 8], [0, 5])
    found = slide(panel, input_size=3, h=2)
    for w in range(len(found)):
        entity, cutoff = found.entity[w], found.cutoff[w]
        np.testing.assert_array_equal(panel.values[found.rows(panel)[w]], panel.rows(entity)[cutoff])
        assert found.steps(panel)[w] == panel.first[entity] + cutoff
    assert len(found[:3]) == 3
    with pytest.raises(ConfigError, match="at least 1, got 0, 2 and 1"):
        slide(panel, input_size=0, h=2)


def test_cutoffs() -> None:
    panel = ragged([10, 8], [0, 5], tail=2)
    ends = at_cutoffs(panel, None)
    assert ends.cutoff.tolist() == [9, 7]
    times = ["2024-01-01 04:00", "2024-01-01 06:00"]
    found = at_cutoffs(panel, times)
    assert list(zip(found.entity.tolist(), found.cutoff.tolist(), strict=True)) == [(0, 4), (0, 6), (1, 1)]
    assert at_cutoffs(panel, times[0]).cutoff.tolist() == [4]
    with pytest.raises(DataError, match=r"No series can be forecast from cutoff 2024-02-01.*Choose cutoffs between"):
        at_cutoffs(panel, ["2024-02-01"])
    with pytest.raises(DataError, match="too short to forecast: 's1' has 8 observed rows, 9 are needed"):
        at_cutoffs(panel, None, min_history=9)
    with pytest.raises(DataError, match="cutoffs is empty"):
        at_cutoffs(panel, [])


def test_truth_of_windows() -> None:
    panel = make_panel((12, 9), targets=2, past=1)
    windows = slide(panel, input_size=3, h=4)
    found = truth_of(panel, windows, 4)
    assert found.shape == (len(windows), 4, 2)
    for w in range(len(windows)):
        rows = panel.rows(int(windows.entity[w]))
        for k in range(4):
            np.testing.assert_array_equal(found[w, k], rows[windows.cutoff[w] + 1 + k, :2])


def test_what_another_table_holds_is_found_by_name_and_time() -> None:
    panel = ragged([30, 25, 20], [0, 3, 8])
    other = panel.take([2, 0]).since(panel.grid.times([12])[0])  # other order, another beginning, one series less
    frame = other.to_frame()
    again = Panel.from_frame(frame, future=["f"], freq="h")  # a grid of its own
    known = {(row.unique_id, row.ds): row.y for row in frame.itertuples()}
    entity = np.array([0, 1, 2, 2])
    steps = np.array([[10, 11, 12, 29, 30], [10, 11, 12, 13, 14], [12, 13, 14, 27, 28], [-3, 0, 1, 2, 900]])
    for table in (other, again):
        found = observed_at(table, panel, entity, steps)
        assert found.shape == (4, 5, 1)
        for n, row in enumerate(steps):
            for k, time in enumerate(panel.grid.times(row)):
                expected = known.get((panel.ids[entity[n]], time), np.nan)
                np.testing.assert_equal(found[n, k, 0], expected)


@pytest.mark.parametrize("n", [100, 1000, 5000, 25_000])
@pytest.mark.parametrize("season", [1, 7, 24, 168, 336])
def test_spaced_rows_come_from_all_positions_of_a_season(n: int, season: int) -> None:
    rows = spaced(np.arange(n), 1000, season)
    assert rows[-1] == n - 1
    assert min(n, 450) <= len(rows) <= 2000
    positions = np.bincount(rows % season, minlength=season)
    assert positions.max() - positions.min() <= 1


@pytest.mark.parametrize(("n", "most"), [(10, 20), (10, 10), (10, 4), (101, 7), (5, 1), (0, 3)])
def test_spaced_rows_are_evenly_spaced_to_the_last_one(n: int, most: int) -> None:
    rows = np.arange(n) * 2 + 1
    got = spaced(rows, most, 1)
    assert len(got) <= most
    assert set(got) <= set(rows)
    assert n == 0 or got[-1] == rows[-1]
    assert len(set(np.diff(got))) <= 1
    assert n > most or len(got) == n

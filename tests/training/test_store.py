from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import make_panel
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.panel import Panel, Static
from foretide.data.time.calendar import Calendar
from foretide.data.windows import Windows, at_cutoffs, slide
from foretide.errors import DataError
from foretide.training.prepare import Preparation
from foretide.training.store import Store, WindowBatches


def batches(
    panel: Panel, windows: Windows, size: int, h: int, calendar: Calendar | None = None
) -> tuple[WindowBatches, Preparation]:
    made = Preparation.fit(panel, calendar)
    return WindowBatches(Store(panel, made, input_size=size, h=h), windows), made


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=4),
    size=st.integers(1, 6),
    h=st.integers(1, 4),
    missing=st.sampled_from([0.0, 0.4]),
    with_calendar=st.booleans(),
    future=st.integers(0, 2),
    seed=st.integers(0, 1000),
)
def test_equal_to_slow_slicing(
    lengths: list[int], size: int, h: int, missing: float, with_calendar: bool, future: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    first = rng.integers(-5, 6, size=len(lengths)).tolist()
    panel = make_panel(lengths, targets=2, past=1, future=future, first=first, missing=missing, seed=seed)
    windows = slide(panel, input_size=size, h=h)
    if not len(windows):
        return
    calendar = Calendar(("weekday",)) if with_calendar else None
    found, made = batches(panel, windows, size, h, calendar)
    values, offsets = made.values(panel), np.concatenate([[0], np.cumsum(lengths)])
    chosen = torch.from_numpy(rng.integers(0, len(windows), size=7))
    inputs, labels = found.batch(chosen)
    assert len(found) == len(windows)
    assert inputs.past.shape == (7, size, 3)
    for b, w in enumerate(chosen.tolist()):
        i, cutoff = int(windows.entity[w]), int(windows.cutoff[w])
        rows = values[offsets[i] : offsets[i + 1]]
        truth = panel.rows(i)[cutoff + 1 : cutoff + h + 1, :2]
        np.testing.assert_array_equal(inputs.past[b], rows[cutoff - size + 1 : cutoff + 1])
        np.testing.assert_array_equal(labels.y[b], rows[cutoff + 1 : cutoff + h + 1, :2])
        assert (int(inputs.step[b]), int(inputs.entity[b])) == (first[i] + cutoff, i)
        assert inputs.step.dtype == inputs.entity.dtype == torch.int64
        if labels.observed is None:
            assert not np.isnan(panel.values[:, :2]).any()
        else:
            np.testing.assert_array_equal(labels.observed[b], ~np.isnan(truth))
        if not future and calendar is None:
            assert inputs.known is None
            assert inputs.known_past is None
            continue
        assert inputs.known is not None
        assert inputs.known_past is not None
        known = torch.cat([inputs.known_past, inputs.known], dim=1)[b].numpy()
        assert known.shape == (size + h, future + 7 * with_calendar)
        inside = slice(cutoff - size + 1, cutoff + h + 1)
        scaled = (panel.rows(i)[inside, 3:] - made.known_location) / made.known_scale
        np.testing.assert_allclose(known[:, :future], scaled, rtol=1e-5, atol=1e-6)
        if calendar is not None:
            steps = first[i] + np.arange(inside.start, inside.stop)
            np.testing.assert_array_equal(known[:, future:], calendar.values(panel.grid, steps))


def test_inputs_at_the_end_have_a_calendar_beyond_the_panel() -> None:
    panel = make_panel((20, 30), first=(0, 4))
    windows, calendar = at_cutoffs(panel, None, min_history=5), Calendar(("weekday", "monthday"))
    found, _ = batches(panel, windows, 5, 6, calendar)
    inputs = found.inputs(torch.arange(2))
    assert inputs.known is not None
    for b, last in enumerate((19, 33)):
        np.testing.assert_array_equal(inputs.known[b], calendar.values(panel.grid, last + np.arange(1, 7)))


def test_a_panel_in_another_order_keeps_what_belongs_to_a_name() -> None:
    panel = make_panel((20, 30, 25))
    made = Preparation.fit(panel, None)
    other = panel.take([2, 0])
    store = Store(other, made, input_size=4, h=2)
    found = WindowBatches(store, slide(other, input_size=4, h=2))
    whole = WindowBatches(Store(panel, made, input_size=4, h=2), slide(panel, input_size=4, h=2))
    n = [15, 25, 20]  # windows of each entity
    mine, theirs = found.inputs(torch.arange(len(found))), whole.inputs(torch.arange(len(whole)))
    assert mine.entity.tolist() == [2] * n[2] + [0] * n[0]
    torch.testing.assert_close(mine.past, torch.cat([theirs.past[40:], theirs.past[:15]]))


def test_static_columns_belong_to_windows() -> None:
    panel = replace(make_panel((20, 20)), static=Static(("a",), np.array([[1.0], [3.0]])))
    other = panel.take([1, 0])  # the static row goes with the entity of the panel at hand, not of the fitted one
    store = Store(other, Preparation.fit(panel, None), input_size=4, h=2)
    found = WindowBatches(store, slide(other, input_size=4, h=2))
    static = found.inputs(torch.tensor([0, 29])).static
    assert static is not None
    np.testing.assert_allclose(static, [[1.0], [-1.0]])


def test_a_batch_is_no_view_of_the_store() -> None:
    panel = make_panel((20,))
    found, _ = batches(panel, slide(panel, input_size=4, h=2), 4, 2)
    inputs, labels = found.batch(torch.arange(3))
    before = found.store.values.clone()
    inputs.past.zero_()
    labels.y.zero_()
    assert torch.equal(found.store.values, before)


def test_memory_grows_with_the_data_and_not_with_the_windows() -> None:
    panel = make_panel((5000,))
    found, _ = batches(panel, slide(panel, input_size=200, h=50), 200, 50)
    assert found._past.untyped_storage().nbytes() == found.store.array.nbytes == 5000 * 4


def test_rows_of_cutoffs() -> None:
    panel = make_panel((20, 30, 25)).take([2, 0])
    store = Store(panel, Preparation.fit(panel, None), input_size=4, h=2)
    assert store.rows(Windows(np.array([0, 1]), np.array([7, 3]))).tolist() == [7, 25 + 3]


# ---------------------------------------------------------------- what is missing
def test_a_missing_known_value_is_named() -> None:
    panel = make_panel((20, 30), future=2, first=(0, 5))
    values = panel.values.copy()
    values[20 + 25, 2] = np.nan  # shop1, row 25 = step 30
    past = values.copy()
    values[20 + 25 :, 0] = np.nan  # nothing is observed from there on: it belongs to the future
    panel = panel.with_values(values)
    for cutoff in (22, 24):
        with pytest.raises(DataError, match=r"column 'f1' of 'shop1' has no value at 2023-02-01 00:00:00, which a "
                           r"forecast of 3 steps needs\. Add rows with its values"):  # fmt: skip
            batches(panel, Windows(np.array([1]), np.array([cutoff])), 4, 3)
    assert len(batches(panel, Windows(np.array([1, 0]), np.array([21, 16])), 4, 3)[0]) == 2
    # A gap in the past carries the last value forward.
    known = panel.with_values(past)
    seen = batches(known, Windows(np.array([1]), np.array([26])), 4, 3)[0].inputs(torch.tensor([0]))
    assert seen.known_past is not None
    assert float(seen.known_past[0, 2, 1]) == float(seen.known_past[0, 1, 1])


def test_known_values_after_the_end_are_needed() -> None:
    panel = make_panel((20, 30), future=1)
    with pytest.raises(DataError, match=r"'f0' of 'shop0' has no value at 2023-01-22 00:00:00"):
        batches(panel, at_cutoffs(panel, None, min_history=4), 4, 3)
    ahead = make_panel((20, 30), future=1, ahead=3)
    assert len(batches(ahead, at_cutoffs(ahead, None, min_history=4), 4, 3)[0]) == 2


def test_all_observed_needs_no_mask() -> None:
    panel = make_panel((20,), targets=2, past=1)
    values = panel.values.copy()
    values[3, 2] = np.nan  # a past column is no label
    found, _ = batches(panel.with_values(values), slide(panel, input_size=4, h=2), 4, 2)
    assert found.batch(torch.arange(2))[1].observed is None


# ---------------------------------------------------------------- words
def test_describe() -> None:
    panel = make_panel((30,) * 8)
    found, _ = batches(panel, slide(panel, input_size=4, h=2), 4, 2)
    assert found.describe(torch.tensor([0, 5])) == (
        "series 'shop0'; cutoffs from 2023-01-05 00:00:00 to 2023-01-10 00:00:00"
    )
    every = torch.arange(0, len(found), 25)
    assert found.describe(every).startswith("series 'shop0', 'shop1', 'shop2', 'shop3', 'shop4' and 3 more; cutoffs")
    one = make_panel((30,), targets=2)
    unnamed, _ = batches(one, slide(one, input_size=4, h=2), 4, 2)
    assert unnamed.describe(torch.tensor([0])).startswith("series 'y0, y1'; cutoffs from")

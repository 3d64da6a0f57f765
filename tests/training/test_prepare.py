from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

from foretide.data import pieces
from foretide.data.panel import Panel, Static
from foretide.data.time.calendar import Calendar
from foretide.data.time.grid import Grid
from foretide.errors import DataError
from foretide.training import calendar_table
from foretide.training.calendar_table import CalendarBlocks, CalendarTable
from foretide.training.prepare import Preparation


def panel_(missing: float = 0.3) -> Panel:
    """Three entities of different lengths and first steps; one begins with a gap."""
    panel = make_panel((40, 25, 61), targets=2, past=1, future=2, first=(3, 0, 10), missing=missing, seed=2)
    values = panel.values.copy()
    values[40:45, :3] = np.nan
    return panel.with_values(values)


def test_values_agree_with_pandas() -> None:
    panel = panel_()
    made = Preparation.fit(panel, None)
    parts = []
    for i in range(3):
        frame = pd.DataFrame(panel.rows(i)[:, :3])
        parts.append(((frame - frame.mean()) / frame.std(ddof=0)).ffill().fillna(0.0).to_numpy())
    got = made.values(panel)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.concatenate(parts), atol=1e-5)
    assert np.isnan(panel.values).any()  # the panel keeps its gaps


@pytest.mark.parametrize("rows", [1, 2, 7, 25, 1000])
def test_gaps_are_carried_over_the_edges_of_chunks(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_(missing=0.6)
    made = Preparation.fit(panel, None)
    expected = made.values(panel)
    monkeypatch.setattr(pieces, "PIECE_ROWS", rows)
    np.testing.assert_array_equal(made.values(panel), expected)


def test_only_earlier_rows_fill_later_ones() -> None:
    panel = panel_()
    made = Preparation.fit(panel, None)
    before = made.values(panel)
    values = panel.values.copy()
    values[100:] = 1e9  # rows 65 .. 125 belong to the third entity
    after = made.values(panel.with_values(values))
    np.testing.assert_array_equal(after[:100], before[:100])
    assert (after[100:] > 1e3).all()


def test_values_of_a_part_have_no_holes() -> None:
    panel = panel_()
    made = Preparation.fit(panel, None)
    whole, part = made.values(panel), panel.take([2, 0])
    np.testing.assert_array_equal(made.values(part), np.concatenate([whole[65:], whole[:40]]))
    cut = panel.until(panel.grid.times([20])[0])
    assert len(made.values(cut)) == 18 + 21 + 11


def test_known_columns_share_one_scale_and_reach_past_the_end() -> None:
    panel = panel_()
    values = panel.values.copy()
    values[[4, 70], 3] = np.nan
    panel = panel.with_values(values)
    got = Preparation.fit(panel, None).future(panel, 3)
    assert got is not None
    assert got.shape == (126 + 9, 2)
    frame = pd.DataFrame(values[:, 3:])
    scaled = ((frame - frame.mean()) / frame.std(ddof=0)).ffill().to_numpy()
    for i, (low, high) in enumerate([(0, 40), (40, 65), (65, 126)]):
        block = got[low + 3 * i : high + 3 * i + 3]
        np.testing.assert_allclose(block[:-3], scaled[low:high], rtol=1e-5, atol=1e-6)
        assert np.isnan(block[-3:]).all()
    assert Preparation.fit(make_panel(), None).future(make_panel(), 3) is None


@pytest.mark.parametrize("value", [0.1, 0.3, -7.0, 0.0, 1e9])
def test_a_known_column_that_does_not_vary_keeps_its_units(value: float) -> None:
    panel = make_panel((37,), future=2)
    values = panel.values.copy()
    values[:, 1], values[:, 2] = value, np.nan
    made = Preparation.fit(panel.with_values(values), None)
    np.testing.assert_array_equal(made.known_scale, [1.0, 1.0])
    np.testing.assert_allclose(made.known_location, [value, 0.0])


def test_calendar_table_equals_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, calendar = Grid(pd.Timestamp("2023-01-30 21:00"), "h"), Calendar(("hour", "weekday", "month"), "DE")
    steps = np.concatenate([np.arange(-30, 901), [5, 5, 899]])
    kept = CalendarTable.build(calendar, grid, -30, 900)
    np.testing.assert_array_equal(kept.at(steps), calendar.values(grid, steps))
    monkeypatch.setattr(calendar_table, "CHUNK_STEPS", 100)
    monkeypatch.setattr(calendar_table, "FEW_BLOCKS", 0)
    table = CalendarTable.build(calendar, grid, -30, 900)
    np.testing.assert_array_equal(table.at(steps), calendar.values(grid, steps))
    assert len(np.unique(table.rows, axis=0)) == len(table.rows) < 500
    assert table.codes.max() == len(table.rows) - 1


@pytest.mark.parametrize(("freq", "zone"), [("min", "Europe/Berlin"), ("h", None), ("17min", None), ("D", None)])
def test_calendar_of_many_steps_in_blocks(freq: str, zone: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    import foretide as ft
    from foretide.data.windows import slide
    from foretide.training.store import Store, WindowBatches

    calendar = Calendar(("hour", "weekday", "yearday") if freq != "D" else ("weekday", "yearday"), country="DE")
    frame = pd.DataFrame(
        {
            "unique_id": "a",
            "ds": pd.date_range("2023-03-25 22:30", periods=4_000, freq=freq, tz=zone),
            "y": np.arange(4_000.0) % 7,
        }
    )
    panel = ft.Panel.from_frame(frame)
    plain = CalendarTable.build(calendar, panel.grid, -30, 4_100)
    monkeypatch.setattr(calendar_table, "MOST_CODED", 100)
    monkeypatch.setattr(calendar_table, "FEW_BLOCKS", 0)
    blocks = CalendarTable.build(calendar, panel.grid, -30, 4_100)
    assert isinstance(blocks, CalendarBlocks)
    steps = np.arange(-30, 4_101)
    np.testing.assert_array_equal(blocks.at(steps), plain.at(steps))
    store = Store(panel, Preparation.fit(panel, calendar), input_size=30, h=5)
    many = WindowBatches(store, slide(panel, input_size=30, h=5))
    assert isinstance(store.calendar, CalendarBlocks)
    inputs = many.inputs(torch.tensor([0, 1_000, len(many) - 1]))
    assert inputs.known_past is not None
    assert inputs.known is not None
    seen = torch.cat([inputs.known_past, inputs.known], dim=1).numpy()
    at = inputs.step.numpy()[:, None] + np.arange(-29, 6)
    np.testing.assert_array_equal(seen, np.stack([plain.at(row) for row in at]))


def test_calendar_table_of_a_panel() -> None:
    panel = panel_()
    calendar = Calendar(("weekday",))
    table = Preparation.fit(panel, calendar).calendar_table(panel, 4)
    assert table is not None
    assert table.first == 0
    assert len(table.codes) == 70 + 1 + 4
    assert Preparation.fit(panel, None).calendar_table(panel, 4) is None
    assert Preparation.fit(panel, calendar).n_known(panel) == 2 + 7
    assert Preparation.fit(panel, None).n_known(panel) == 2


def test_series_for_the_start() -> None:
    panel = panel_()
    calendar = Calendar(("weekday",))
    made = Preparation.fit(panel, calendar)
    values, future, table = made.values(panel), made.future(panel, 4), made.calendar_table(panel, 4)
    series = made.series(panel, values, future, table, np.array([18, 21, 11]))
    assert series.train_length.tolist() == [18, 21, 11]
    assert series.n_targets == 2
    assert series.known is not None
    frame = pd.DataFrame(panel.values[:, 3:])
    scaled = ((frame - frame.mean()) / frame.std(ddof=0)).to_numpy()
    for i, row0 in enumerate((0, 40, 65)):
        steps, part, known = series.part(i, 5, 12)
        np.testing.assert_array_equal(steps, [3, 0, 10][i] + np.arange(5, 12))
        np.testing.assert_array_equal(part, values[row0 + 5 : row0 + 12])
        assert known is not None
        np.testing.assert_allclose(known[:, :2], scaled[row0 + 5 : row0 + 12], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(known[:, 2:], calendar.values(panel.grid, steps))
    assert made.series(panel, values, None, None, panel.length).known is None
    # Rows without a target are no training rows.
    empty = panel.values.copy()
    empty[55:65, :2] = np.nan
    assert made.series(panel.with_values(empty), values, None, None, panel.length).train_length.tolist() == [40, 15, 61]


def test_a_missing_known_value_of_the_past_is_carried_forward() -> None:
    panel = make_panel((30,), future=1)
    values = panel.values.copy()
    values[[0, 7], 1] = np.nan
    panel = panel.with_values(values)
    made = Preparation.fit(panel, None)
    series = made.series(panel, made.values(panel), made.future(panel, 2), None, panel.length)
    assert series.known is not None
    assert series.known(0, 7, 8).tolist() == series.known(0, 6, 7).tolist()
    assert series.known(0, 0, 1).tolist() == [[0.0]]  # the mean, where nothing was known yet


def test_static_columns() -> None:
    panel = replace(make_panel((20, 20, 20)), static=Static(("a", "b"), np.array([[1.0, 5], [3, 5], [np.nan, 5]])))
    made = Preparation.fit(panel, None)
    np.testing.assert_allclose(made.static(panel), [[-1, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(made.static(panel.take([1])), [[1, 0]])
    assert Preparation.fit(make_panel(), None).static(make_panel()) is None
    with pytest.raises(DataError, match=r"fitted with 2 static columns, this panel has \[\]\. Give the same"):
        made.static(make_panel((20, 20, 20)))


def test_unscale_is_the_inverse() -> None:
    panel = panel_(missing=0)
    made = Preparation.fit(panel, None)
    other = panel.take([2, 1])
    entity = np.array([0, 1, 0, 1])
    scaled = np.random.default_rng(0).normal(size=(4, 5, 2))
    got = made.unscale(other, entity, scaled)
    assert got.dtype == np.float64
    for w, e in enumerate((2, 1, 2, 1)):
        rows = panel.rows(e)[:, :2]
        if e == 1:
            rows = rows[5:]
        np.testing.assert_allclose(got[w], scaled[w] * rows.std(axis=0) + rows.mean(axis=0))
    many = np.random.default_rng(0).normal(size=(4, 5, 2, 3))
    np.testing.assert_allclose(made.unscale(other, entity, many)[..., 1], made.unscale(other, entity, many[..., 1]))


def test_uncentred_targets_keep_their_zero() -> None:
    panel = panel_()
    plain, made = Preparation.fit(panel, None), Preparation.fit(panel, None, np.array([True, False]))
    assert (made.location[:, 0] == 0).all()
    np.testing.assert_array_equal(made.location[:, 1:], plain.location[:, 1:])
    np.testing.assert_array_equal(made.scale, plain.scale)
    expected = plain.values(panel)[:, 0] + (plain.location[:, 0] / plain.scale[:, 0]).repeat(panel.length)
    seen = ~np.isnan(np.concatenate([panel.rows(i)[:, 0] for i in range(3)]))
    np.testing.assert_allclose(made.values(panel)[seen, 0], expected[seen], rtol=1e-4)


def test_saved_as_arrays() -> None:
    panel = replace(panel_(), static=Static(("a",), np.array([[1.0], [2], [4]])))
    made = Preparation.fit(panel, Calendar(("weekday",)))
    again = Preparation.from_arrays(made.arrays(), made.ids, made.calendar)
    np.testing.assert_array_equal(again.values(panel), made.values(panel))
    np.testing.assert_array_equal(again.future(panel, 2), made.future(panel, 2))
    np.testing.assert_array_equal(again.static(panel), made.static(panel))
    assert all(name.startswith("preparation.") for name in made.arrays())


def test_unknown_entity() -> None:
    panel = panel_()
    made = Preparation.fit(panel.take([0, 1]), None)
    with pytest.raises(DataError, match=r"'shop2' has no rows in the training part .* Did you mean 'shop"):
        made.values(panel)

"""What a fitted forecaster says of tables that differ from the one it was fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.time.grid import Grid
from foretide.errors import DataError

H = 3


def test_a_gap_between_fit_and_table_is_noted_where_it_matters() -> None:
    panel = make_panel((200, 200))
    until = times(panel, [99])[0]
    smoothed, linear = (model.fit(panel, until) for model in (ft.SeasonalES(H), ft.Ridge(H, input_size=14)))
    for begin, gap in ((60, False), (100, False), (101, True), (150, True)):
        later = panel.since(times(panel, [begin])[0])
        found = [note.windows.tolist() for note in smoothed.predict(later).notes if note.kind == "gap"]
        assert found == ([[0, 1]] if gap else [])
        assert linear.predict(later).notes == ()  # its lookback lies in the table
    # Of a model with a lookback, only where the table is shorter than that.
    assert linear.predict(panel.since(times(panel, [190])[0])).notes[0].kind == "stand-in"


def test_another_kind_of_time_is_refused_with_both_named() -> None:
    panel = make_panel((120,))
    model = ft.SeasonalNaive(H).fit(panel)
    zoned = replace(panel, grid=Grid(pd.Timestamp("2023-01-02"), "D", "UTC"))
    with pytest.raises(DataError, match="fitted on times without a zone, this panel has times in the zone UTC"):
        model.predict(zoned)
    hourly = replace(panel, grid=Grid(pd.Timestamp("2023-01-02"), "h"))
    with pytest.raises(DataError, match="fitted on steps of 'D', this panel has 'h'.*Type: freq='D'"):
        model.predict(hourly)
    between = replace(panel, grid=Grid(pd.Timestamp("2023-01-02 12:00"), "D"))
    with pytest.raises(DataError, match="do not all lie on them"):
        model.predict(between)
    assert model.freq == "D"


def test_the_next_rows_alone_are_enough() -> None:
    panel = make_panel((120, 120))
    until = times(panel, [99])[0]
    for model in (ft.SeasonalES(H), ft.Ridge(H, input_size=14)):
        model.fit(panel, until)
        for begin in (100, 90, 50):
            later = panel.since(times(panel, [begin])[0])
            cutoffs = times(panel, [104, 111])
            np.testing.assert_allclose(
                model.predict(later, cutoffs).mean, model.predict(panel, cutoffs).mean, rtol=1e-6
            )


def test_what_is_no_panel_is_refused_with_what_to_type() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=30), "y": np.arange(30.0)})
    with pytest.raises(DataError, match=r"Expected a pandas or polars data frame, got dict"):
        ft.SeasonalNaive(H).fit({"y": [1.0, 2.0]})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"Expected a Panel or a data frame, got str\. Type: foretide\.Panel\.read"):
        ft.SeasonalNaive(H).fit("sales.csv")  # type: ignore[arg-type]
    model = ft.SeasonalNaive(H).fit(ft.Panel.from_frame(frame))
    with pytest.raises(DataError, match=r"pandas Series. Type: series\.rename"):
        model.predict(frame["y"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"got LazyFrame\. Collect it first"):
        model.predict(pl.from_pandas(frame).lazy())  # type: ignore[arg-type]

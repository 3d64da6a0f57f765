"""What is in a panel: figures by hand, gaps, runs and spikes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.audit import column_audit, longest_run, series_audit, spikes
from foretide.data.reading.problems import DataWarning


def panel() -> ft.Panel:
    times = pd.date_range("2024-01-01", periods=8, freq="D")
    frames = [
        pd.DataFrame({"unique_id": "a", "ds": times, "y": [0.0, 0, 2, 2, 2, np.nan, 0, 6], "x": np.arange(8.0)}),
        pd.DataFrame({"unique_id": "b", "ds": times[2:5], "y": [1.0, 1, 1], "x": 0.0}),
    ]
    return ft.Panel.from_frame(pd.concat(frames), past=["x"], missing="mask")


def test_columns_over_all_entities() -> None:
    table = column_audit(panel()).set_index("column")
    assert table["role"].to_dict() == {"y": "target", "x": "past"}
    y = [0, 0, 2, 2, 2, 0, 6, 1, 1, 1]
    assert table.loc["y", ["min", "mean", "max", "std"]].tolist() == [0, np.mean(y), 6, pytest.approx(np.std(y))]
    assert table.loc["y", "zeros"] == 0.3
    assert table.loc["y", "missing"] == pytest.approx(1 / 11)
    assert table.loc["x", "missing"] == 0


def test_series_have_their_own_span_runs_and_gaps() -> None:
    table = series_audit(panel(), season=1).set_index("series")
    assert table.loc["a", ["steps", "constant_run"]].tolist() == [8, 3]
    assert table.loc["a", "missing"] == pytest.approx(1 / 8)
    assert table.loc["b", ["first", "last"]].tolist() == ["2024-01-03 00:00:00", "2024-01-05 00:00:00"]
    assert table.loc["b", ["steps", "constant_run", "std"]].tolist() == [3, 3, 0]


def test_a_target_without_any_value() -> None:
    times = pd.date_range("2024-01-01", periods=4, freq="D")
    frame = pd.DataFrame({"ds": times, "y": [1.0, 2, 3, 4], "z": np.nan})
    with pytest.warns(DataWarning, match="no value at all"):
        made = ft.Panel.from_wide(frame, target=["y", "z"], missing="mask")
    line = series_audit(made, season=1).set_index("series").loc["z"]
    assert (line["steps"], line["missing"], line["constant_run"], line["spikes"]) == (0, 1.0, 0, 0)
    assert np.isnan(line["mean"])


def test_runs_end_at_missing_values() -> None:
    assert longest_run(np.array([1.0, 1, np.nan, 1, 1, 1, 2])) == 3
    assert longest_run(np.array([])) == 0
    assert longest_run(np.array([np.nan, np.nan])) == 0
    assert longest_run(np.array([5.0])) == 1


def test_spikes_are_single_values_not_steps() -> None:
    rng = np.random.default_rng(0)
    wave = 10 * np.sin(np.arange(240) * 2 * np.pi / 24) + rng.normal(0, 0.1, 240)
    assert spikes(wave, 24) == 0
    spiked = wave.copy()
    spiked[[100, 150]] += 5
    assert spikes(spiked, 24) == 2
    level = wave.copy()
    level[120:] += 5  # a shift of the level is far from one side only
    assert spikes(level, 24) == 0
    assert spikes(np.zeros(100), 24) == 0
    assert spikes(np.full(100, np.nan), 24) == 0
    assert spikes(wave[:50], 24) == 0

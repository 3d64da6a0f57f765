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
    rows = np.array([[1.0, 1, np.nan, 1, 1, 1, 2], [np.nan] * 7, [5.0, *[np.nan] * 6], [1.0, 2, 2, 3, 4, 4, 4]])
    assert longest_run(rows).tolist() == [3, 0, 1, 3]
    assert longest_run(np.array([[5.0], [np.nan]])).tolist() == [1, 0]


def test_spikes_are_single_values_not_steps() -> None:
    rng = np.random.default_rng(0)
    wave = 10 * np.sin(np.arange(240) * 2 * np.pi / 24) + rng.normal(0, 0.1, 240)
    spiked = wave.copy()
    spiked[[100, 150]] += 5
    level = wave.copy()
    level[120:] += 5  # a shift of the level is far from one side only
    short = np.where(np.arange(240) < 90, spiked, np.nan)
    short[50] += 5  # its steps end before four seasons
    rows = np.stack([wave, spiked, level, np.zeros(240), np.full(240, np.nan), short])
    assert spikes(rows, 24).tolist() == [0, 2, 0, 0, 0, 0]
    assert spikes(wave[None, :50], 24).tolist() == [0]


def test_series_are_looked_at_together_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    frames = []
    for k, n in enumerate((40, 7, 90, 3, 61)):
        y = np.round(rng.normal(0, 1, n), 1)
        y[rng.random(n) < 0.2] = np.nan
        y[n // 2] = 30.0
        days = pd.date_range("2024-01-01", periods=n) + pd.Timedelta(days=k)
        frames.append(pd.DataFrame({"unique_id": f"s{k}", "ds": days, "y": y, "z": y[::-1] + 1}))
    made = ft.Panel.from_frame(pd.concat(frames), target=["y", "z"], missing="mask")
    together = series_audit(made, season=7).set_index("series")
    monkeypatch.setattr("foretide.data.audit.CELLS", 1)
    pd.testing.assert_frame_equal(series_audit(made, season=7).set_index("series"), together)
    assert together["spikes"].sum() > 0
    for name in together.index:
        entity, target = name.split("/")
        y = pd.concat(frames).set_index("unique_id").loc[entity, target].to_numpy()
        seen = np.flatnonzero(~np.isnan(y))
        line, known = together.loc[name], y[seen]
        assert line["steps"] == seen[-1] - seen[0] + 1
        assert line[["min", "mean", "max", "std", "zeros"]].tolist() == pytest.approx(
            [known.min(), known.mean(), known.max(), known.std(), (known == 0).mean()]
        )
        assert line["missing"] == pytest.approx(1 - len(known) / line["steps"])

"""Tables beside a card, against slow loops."""

from __future__ import annotations

import numpy as np
import pandas as pd

import foretide as ft
from foretide.jobs.outputs import LEAST, before
from foretide.report.run.forecasts import _in_chains


def ragged() -> ft.Panel:
    rng = np.random.default_rng(1)
    parts = [
        pd.DataFrame({
            "unique_id": f"s{k}", "ds": pd.date_range(f"2024-01-{k + 1:02d}", periods=n), "y": rng.normal(size=n),
            "z": rng.normal(size=n),
        })
        for k, n in enumerate((3, 90, LEAST + 9, 50))
    ]  # fmt: skip
    return ft.Panel.from_frame(pd.concat(parts), target=["y", "z"])


def test_the_steps_before_a_cutoff_as_a_slow_loop_has_them() -> None:
    panel, cutoffs = ragged(), [-1, 80, 70, 60]  # before the first row; after it; beyond the end
    found = before(panel, cutoffs, 2)
    rows = []
    for i, cutoff in enumerate(cutoffs):
        for d in range(panel.n_targets):
            for row in range(max(0, cutoff - LEAST + 1), min(cutoff + 1, int(panel.length[i]))):
                time = panel.grid.output_times([int(panel.first[i]) + row])[0]
                rows.append((panel.series_name(i, d), time, panel.rows(i)[row, d]))
    pd.testing.assert_frame_equal(found, pd.DataFrame(rows, columns=["unique_id", "ds", "y"]), check_dtype=False)
    assert found["y"].dtype == panel.values.dtype


def test_chains_are_counted_back_from_the_newest_window_of_each_series() -> None:
    days = pd.date_range("2024-01-01", periods=40)
    windows = [(name, cutoff) for name, last in (("b", 20), ("a", 23)) for cutoff in (3, last - 5, last - 2, last)]
    frame = pd.DataFrame(
        [(name, days[cutoff + k], days[cutoff]) for name, cutoff in windows for k in (1, 2, 3)],
        columns=["unique_id", "ds", "cutoff"],
    )
    wanted = np.zeros(len(frame), dtype=bool)
    for _, own in frame.groupby("unique_id"):
        bound = None
        for cutoff in sorted(own["cutoff"].unique(), reverse=True):
            window = own[own["cutoff"] == cutoff]
            if bound is None or window["ds"].max() <= bound:
                wanted[window.index], bound = True, cutoff
    assert _in_chains(frame, "unique_id", "ds").tolist() == wanted.tolist()
    assert 0 < wanted.sum() < len(frame)

"""Models of a series' own past give the same forecast from any table that holds the same past."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.forecasters.base import Forecaster

H = 9
MODELS: dict[str, Callable[[int], Forecaster]] = {
    "AutoETS": lambda season: ft.Stats("AutoETS", H, season, params={"model": "ANA"}),
    "HoltWinters": lambda season: ft.Stats("HoltWinters", H, season),
    "AutoTheta": lambda season: ft.Stats("AutoTheta", H, season),
    "AutoARIMA": lambda season: ft.Stats(
        "AutoARIMA", H, season, params={"max_p": 1, "max_q": 1, "max_P": 1, "max_Q": 0}
    ),
    "MSTL": lambda season: ft.Stats("MSTL", H, season),
    "SeasonalNaive": lambda season: ft.SeasonalNaive(H, season),
    "SeasonalMean": lambda season: ft.SeasonalMean(H, season),
    "SeasonalES": lambda season: ft.SeasonalES(H, season),
    "ARIMA": lambda season: ft.ARIMA(H, (2, 0, 1)),
    "VAR": lambda season: ft.VAR(H, max_order=7),
    "Ridge": lambda season: ft.Ridge(H, input_size=14),
    "Croston": lambda season: ft.Croston(H),
    "TSB": lambda season: ft.TSB(H),
}
TIMES = {
    "days": (7, pd.date_range("2023-01-02", periods=150, freq="D")),
    "clock": (24, pd.date_range("2024-03-23", periods=300, freq="h", tz="Europe/Berlin")),
    "numbers": (7, np.arange(3, 3 + 2 * 150, 2)),
}
SKIPPED = {("clock", "AutoARIMA")}
"""Minutes for a season of 24."""
CASES = [(kind, case) for kind in TIMES for case in MODELS if (kind, case) not in SKIPPED]
BEGIN = 20
"""The table that is fitted on begins so many rows after the longest one."""


@cache
def table(kind: str) -> pd.DataFrame:
    season, ds = TIMES[kind]
    rng = np.random.default_rng(0)
    clock = ds.hour if kind == "clock" else np.arange(len(ds)) % season
    parts = []
    for name in "abc":
        y = 20 + 6 * np.sin(2 * np.pi * np.asarray(clock) / season + rng.normal()) + rng.normal(size=len(ds))
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


def panel_of(kind: str, low: int, high: int, ids: str = "abc") -> Panel:
    ds = TIMES[kind][1]
    frame = table(kind)
    parts = [frame[(frame["unique_id"] == i) & frame["ds"].isin(ds[low:high])] for i in ids]
    return Panel.from_frame(pd.concat(parts), freq=2 if kind == "numbers" else None)


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_any_table(kind: str, case: str, tmp_path: Path) -> None:
    season, ds = TIMES[kind]
    n = len(ds)
    until, cutoffs = ds[n - 60], [ds[n - 50], ds[n - 30]]
    model = MODELS[case](season).fit(panel_of(kind, BEGIN, n), until=until)
    expected = model.predict(panel_of(kind, BEGIN, n), cutoffs)
    model.save(tmp_path / "m")
    shorter = [panel_of(kind, BEGIN + k, n) for k in (1, season - 1, n - 90)]
    others = [*shorter, panel_of(kind, 0, n), panel_of(kind, BEGIN, n, "ca"), panel_of(kind, n - 60, n, "b")]
    loaded = ft.load(tmp_path / "m")
    for panel in others:
        got = loaded.predict(panel, cutoffs)
        place = [expected.panel.ids.index(i) for i in panel.ids]
        for k, i in zip(np.unique(got.windows.entity), place, strict=True):
            theirs = expected.mean[expected.windows.entity == i]
            np.testing.assert_allclose(got.mean[got.windows.entity == k], theirs, rtol=1e-5)


@pytest.mark.parametrize("case", ["AutoETS", "HoltWinters", "AutoTheta", "MSTL"])
@pytest.mark.parametrize("gap", [1, 3, 11])
def test_after_a_gap_the_season_is_where_it_was(case: str, gap: int) -> None:
    # A table that begins some rows after the fit ended shares no row with it.
    week = np.array([30.0, 5, 10, 10, 20, 0, 15])
    values = week[np.arange(240) % 7] + 0.1 * np.random.default_rng(1).normal(size=240)
    panel = make_panel((240,)).with_values(values[:, None])
    model = MODELS[case](7).fit(panel, until=times(panel, [149])[0])
    for rows in (40, 16):
        begin = 150 + gap
        cutoff = begin + rows - 1
        later = panel.since(times(panel, [begin])[0])
        got = model.predict(later, times(panel, [cutoff])).mean[0, :, 0]
        np.testing.assert_allclose(got, week[np.arange(cutoff + 1, cutoff + 1 + H) % 7], atol=1.5)


def test_a_cutoff_before_the_fit_leaves_the_others_as_they_are() -> None:
    panel = make_panel((150,))
    model = ft.Stats("HoltWinters", H, 7).fit(panel.since(times(panel, [BEGIN])[0]), until=times(panel, [120])[0])
    alone = model.predict(panel, times(panel, [130]))
    both = model.predict(panel, times(panel, [18, 130]))
    np.testing.assert_array_equal(both.mean[1], alone.mean[0])

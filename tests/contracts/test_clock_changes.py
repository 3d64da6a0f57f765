"""Seasons follow the wall clock of the zone: four weeks after a clock change models are as good as before it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.counts import are_counts
from foretide.data.panel import Panel
from foretide.data.time.wallclock import on_wall_clock, wall_grid
from foretide.forecasters.table import forecaster_class

H = 24
ZONE = "Europe/Berlin"
CHANGES = {"spring": "2024-03-31", "autumn": "2024-10-27"}
MOST = 1.3
"""MAE after the change in units of that before it."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "SeasonalNaive": ("SeasonalNaive", {"season": 168}),
    "SeasonalMean": ("SeasonalMean", {"season": 168}),
    "SeasonalES": ("SeasonalES", {}),
    "CalendarES": ("CalendarES", {"season": 168}),
    "Ridge": ("Ridge", {"input_size": 168}),
    "LSTM": ("LSTM", {"input_size": 168, "hidden": 16, "epochs": 1}),
    "LSTM-calendar": ("LSTM", {"input_size": 48, "hidden": 16, "epochs": 1, "calendar": "auto"}),
    "Attention": ("Attention", {"input_size": 168, "hidden": 16, "epochs": 1}),
    "LAVAR": ("LAVAR", {"epochs": 2, "head_epochs": 2}),
    "AutoETS": ("Stats", {"model": "AutoETS", "season": 24}),
    "WithIntervals": ("WithIntervals", {"model": {"SeasonalES": {}}}),
    "Conformal": ("Conformal", {"model": {"Ridge": {"input_size": 168}}}),
    "Ensemble": ("Ensemble", {"models": [{"SeasonalES": {}}, {"Ridge": {"input_size": 168}}]}),
    "PerEntity": ("PerEntity", {"model": {"SeasonalES": {}}}),
}


@cache
def table(change: str) -> pd.DataFrame:
    """Ten weeks up to a week before the change, and five weeks more: rush hours on working days, by the wall clock."""
    day = pd.Timestamp(CHANGES[change])
    ds = pd.date_range(day - pd.Timedelta(days=77), day + pd.Timedelta(days=29), freq="h", tz=ZONE)
    rng = np.random.default_rng(0)
    hour, working = np.asarray(ds.hour), np.asarray(ds.day_of_week) < 5
    rush = 30 * np.exp(-0.5 * ((hour - 8) / 1.2) ** 2) + 25 * np.exp(-0.5 * ((hour - 17) / 1.5) ** 2)
    y = 20 + rush * working + 5 * (hour > 6) + rng.normal(0, 2, len(ds))
    return pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})


def errors(name: str, change: str) -> tuple[float, float]:
    """MAE over the week before the change and over the four weeks after it, from every seventh hour."""
    kind, settings = CASES[name]
    frame, day = table(change), pd.Timestamp(CHANGES[change], tz=ZONE)
    panel = Panel.from_frame(frame, freq="h")
    model = forecaster_class(kind)(h=H, **settings)
    if name == "AutoETS":  # slow: five weeks are enough
        panel = panel.since(day - pd.Timedelta(days=42))
    model.fit(panel, until=day - pd.Timedelta(days=7, hours=1))
    ends = pd.date_range(day - pd.Timedelta(days=7, hours=1), day + pd.Timedelta(days=28), freq="h")[::7]
    found = model.predict(panel, cutoffs=list(ends), levels=())
    gap = np.abs(found.truth() - found.mean)[:, :, 0]
    steps = found.cutoff_steps[:, None] + np.arange(1, H + 1)
    border = panel.grid.step_of(day)
    return float(np.nanmean(gap[steps < border])), float(np.nanmean(gap[steps >= border]))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", CASES)
def test_as_good_after_a_clock_change_as_before(name: str, change: str) -> None:
    before, after = errors(name, change)
    assert after <= MOST * before
    if name != "AutoETS":  # one season of 24 hours knows no weekend
        assert before < 4.5


def test_steps_of_the_answer_are_those_of_the_table() -> None:
    # The day of the change has 23 or 25 hours; each step still stands at its own instant.
    for change, hours in (("spring", 23), ("autumn", 25)):
        panel, day = Panel.from_frame(table(change), freq="h"), pd.Timestamp(CHANGES[change], tz=ZONE)
        model = ft.SeasonalNaive(h=26, season=24).fit(panel, until=day - pd.Timedelta(days=2))
        frame = model.predict(panel, cutoffs=[day - pd.Timedelta(hours=1)]).to_frame()
        assert (frame.ds == pd.date_range(day, periods=26, freq="h")).all()
        assert (frame.ds.dt.date == day.date()).sum() == hours
        own = table(change).set_index("ds").y
        for row in frame.itertuples():
            if row.ds.date() == day.date() and row.ds.hour != 2:
                before = row.ds.tz_localize(None) - pd.Timedelta(days=1)
                assert row.SeasonalNaive == own[before.tz_localize(ZONE)]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("freq", "zone"), [("30min", ZONE), ("2h", ZONE), ("15min", "Australia/Lord_Howe")])
def test_other_steps_and_zones(freq: str, zone: str, change: str) -> None:
    # Lord Howe Island moves its clocks by half an hour, on other days than Europe does.
    day = {"spring": "2024-04-07", "autumn": "2024-10-06"}[change] if zone != ZONE else CHANGES[change]
    middle = pd.Timestamp(day)
    ds = pd.date_range(middle - pd.Timedelta(days=21), middle + pd.Timedelta(days=14), freq=freq, tz=zone)
    hour = np.asarray(ds.hour) + np.asarray(ds.minute) / 60
    y = 20 + 30 * np.exp(-0.5 * ((hour - 8) / 1.5) ** 2) + np.random.default_rng(0).normal(0, 1, len(ds))
    panel = Panel.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), freq=freq)
    day_long = int(pd.Timedelta(days=1) / pd.Timedelta(freq))
    border = panel.grid.step_at_or_before(middle.tz_localize(zone))
    model = ft.SeasonalES(h=day_long).fit(panel, until=panel.grid.output_times([border - 3 * day_long])[0])
    cutoffs = panel.grid.output_times(np.arange(border - 3 * day_long, border + 13 * day_long, 5))
    found = model.predict(panel, cutoffs=list(cutoffs))
    gap = np.abs(found.truth() - found.mean)[:, :, 0]
    steps = found.cutoff_steps[:, None] + np.arange(1, day_long + 1)
    after = steps >= border + 2 * day_long
    assert np.nanmean(gap[after]) < (MOST if freq != "2h" else 3) * np.nanmean(gap[steps < border])


def test_counts_are_counts_through_a_clock_change() -> None:
    frame = table("spring")
    y = np.arange(len(frame)) // 3 % 4  # the neighbours of the hour that is left out are an odd number apart
    at = Panel.from_frame(frame, freq="h").grid.step_of(pd.Timestamp(CHANGES["spring"] + " 01:00", tz=ZONE))
    panel = next(p for p in (Panel.from_frame(frame.assign(y=np.roll(y, k) * 1.0), freq="h") for k in range(3))
                 if (p.values[at, 0] + p.values[at + 1, 0]) % 2)  # fmt: skip
    assert are_counts(on_wall_clock(panel, wall_grid(panel.grid))[0]).all()
    assert ft.Attention(h=3, input_size=24, hidden=8, head="nb", epochs=0).fit(panel).predict(panel).mean.min() >= 0

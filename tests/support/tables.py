"""Tables of several series over naive, zone-aware and integer time: fit in one of them, use in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd

from foretide.data.panel import Panel

H = 5
ZONE = "Europe/Berlin"
ROLES: dict[str, Any] = {"target": ["y", "z"], "past": ["p", "q"], "future": ["f", "g"], "static": ["size", "region"]}


@dataclass(frozen=True)
class Time:
    """A kind of time.

    Attributes
    ----------
    start : str or int
        Of the oldest rows there are.
    freq : str or int
    season : int
        Steps of the season that the values have.
    rows : int
        Rows of the longest series, the ``H`` rows known ahead among them.
    fitted_from, fitted_to : int
        First and last of these rows that a model is fitted on.
    zone : str or None
    """

    start: str | int
    freq: str | int
    season: int
    rows: int
    fitted_from: int
    fitted_to: int
    zone: str | None = None

    @property
    def cutoffs(self) -> list[Any]:
        """Where models are asked: at the end of the fit and later, right before a clock changes, at the very end."""
        last = self.rows - H - 1
        steps = {self.fitted_to, self.fitted_to + 4, self.fitted_to + 3 * 24 - 1, last - 60, last}
        return [self.index[k] for k in sorted(steps) if k <= last]

    @cached_property
    def index(self) -> pd.Index:
        """Times of all rows."""
        if isinstance(self.freq, int):
            return pd.RangeIndex(int(self.start), int(self.start) + self.rows * self.freq, self.freq)
        return pd.date_range(self.start, periods=self.rows, freq=self.freq, tz=self.zone)


TIMES = {
    "daily": Time("2023-01-02", "D", 7, 230, 20, 150),
    "spring": Time("2024-03-16", "h", 24, 24 * 20, 30, 24 * 12, ZONE),
    "autumn": Time("2024-10-12", "h", 24, 24 * 20, 30, 24 * 12, ZONE),
    "integer": Time(1000, 3, 1, 230, 20, 150),
}
SHOPS = ("b", "a", "d", "c")
STARTS = (0, 24, 41, 3)
"""Row that each series begins at; the last one is not there at fit."""


@cache
def frame_of(kind: str) -> pd.DataFrame:
    """Return all rows of all series, whole numbers around 40 with the season of the wall clock."""
    time, rng = TIMES[kind], np.random.default_rng(7)
    index, parts = time.index, []
    position = (index.hour + 24 * index.day_of_week) if time.zone else np.arange(time.rows)
    for k, (name, start) in enumerate(zip(SHOPS, STARTS, strict=True)):
        wave = 2 * np.pi * np.asarray(position) / max(time.season, 7)
        promo = (rng.random(time.rows) < 0.1).astype(float)
        weather = rng.normal(size=time.rows)
        own = {
            "unique_id": name, "ds": index, "size": 10.0 * k, "region": "north" if k % 2 else "south",
            "y": np.rint(40 + 15 * np.sin(wave + k) + 8 * promo + 2 * weather + rng.normal(size=time.rows)),
            "z": np.rint(30 + 9 * np.cos(wave) + 3 * rng.normal(size=time.rows)).clip(0),
            "p": np.sin(wave + 1) + rng.normal(size=time.rows), "q": np.roll(weather, 1), "f": promo, "g": weather,
        }  # fmt: skip
        part = pd.DataFrame(own).iloc[start:]
        part.loc[part.index[-H:], ["y", "z", "p", "q"]] = np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def rows_of(kind: str, low: int = 0, high: int | None = None, shops: Sequence[str] = SHOPS) -> pd.DataFrame:
    """Return rows ``low .. high - 1`` of the calendar, of some series in the order named."""
    frame, index = frame_of(kind), TIMES[kind].index
    kept = frame[(frame.ds >= index[low]) & (frame.ds <= index[(high or len(index)) - 1])]
    return pd.concat([kept[kept.unique_id == name] for name in shops], ignore_index=True)


@cache
def panel_of(
    kind: str,
    low: int = 0,
    high: int | None = None,
    shops: tuple[str, ...] = SHOPS,
    *,
    backwards: bool = False,
    zone: str | None = None,
) -> Panel:
    """Read these rows as a panel, once for all who ask; nobody can write into it.

    ``backwards``: the columns of each role in the other order. ``zone``: the same instants as its clocks show them.
    """
    table = rows_of(kind, low, high, shops)
    if zone:
        table["ds"] = table.ds.dt.tz_convert(zone)
    roles = {role: names[::-1] if backwards else names for role, names in ROLES.items()}
    panel = Panel.from_frame(table, freq=TIMES[kind].freq, missing="mask", **roles)
    panel.values.flags.writeable = False
    return panel


@cache
def scales_of(kind: str) -> dict[tuple[str, str], float]:
    """Return the spread of each series' targets."""
    table = rows_of(kind)
    return {(name, target): float(rows[target].std()) for name, rows in table.groupby("unique_id") for target in "yz"}

"""A few models that a service can hold, and tables for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import foretide as ft
from foretide.forecasters.base import Forecaster

TOKEN = "a-token-for-the-tests"


def sales(
    n: int = 120, ids: tuple[str, ...] = ("north", "south"), *, seed: int = 0, known: bool = False
) -> pd.DataFrame:
    """Daily sales of some shops; ``known`` adds a column of promotions, known a week ahead."""
    rng = np.random.default_rng(seed)
    week = 20 + 5 * np.sin(np.arange(n) * 2 * np.pi / 7)
    days = pd.date_range("2024-01-01", periods=n)
    frames = [pd.DataFrame({"unique_id": k, "ds": days, "y": week + rng.normal(size=n)}) for k in ids]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(promo=(np.arange(len(frame)) % 7 == 5).astype(float)) if known else frame


def fitted() -> dict[str, Forecaster]:
    """One of plain series, one that needs known future, one that counts time in integers, one of two targets."""
    plain, known = ft.Panel.from_frame(sales()), ft.Panel.from_frame(sales(known=True), future="promo")
    counted = sales(60, ("one",)).drop(columns="unique_id").assign(ds=np.arange(60))
    two = sales().rename(columns={"y": "tea"}).assign(milk=lambda frame: 2 * frame["tea"])
    return {
        "naive": ft.SeasonalNaive(h=7, season=7).fit(plain),
        "promo": ft.Linear(h=7, known="on").fit(known),
        "counted": ft.Drift(h=5).fit(ft.Panel.from_frame(counted, id=None)),
        "two": ft.SeasonalES(h=7).fit(ft.Panel.from_frame(two, target=["tea", "milk"])),
    }


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as JSON's rows."""
    return frame.assign(ds=frame["ds"].astype(str)).to_dict("records")

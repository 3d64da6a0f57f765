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
    """Models of plain series, with known future, of text, of two targets, of columns that are series, in a zone …."""
    plain, known = ft.Panel.from_frame(sales()), ft.Panel.from_frame(sales(known=True), future="promo")
    counted = sales(60, ("one",)).drop(columns="unique_id").assign(ds=np.arange(60))
    two = sales().rename(columns={"y": "tea"}).assign(milk=lambda frame: 2 * frame["tea"])
    zoned = sales(ids=("x",)).assign(ds=lambda frame: frame["ds"].dt.tz_localize("Europe/Berlin"), shop=7)
    return {
        "naive": ft.SeasonalNaive(h=7, season=7).fit(plain),
        "promo": ft.Linear(h=7, known="on").fit(known),
        "counted": ft.Drift(h=5).fit(ft.Panel.from_frame(counted, id=None)),
        "two": ft.SeasonalES(h=7).fit(ft.Panel.from_frame(two, target=["tea", "milk"])),
        "text": ft.Linear(h=7).fit(ft.Panel.from_frame(worded(), future="promo", static="region")),
        "wide": ft.SeasonalES(h=7).fit(ft.Panel.from_wide(wide(), target=["milk", "tea"], melt=True)),
        "zone": ft.SeasonalNaive(h=7, season=7).fit(ft.Panel.from_frame(zoned, id="shop")),
    }


def worded() -> pd.DataFrame:
    """Return sales with a column of words that is known ahead, and one that is the same for all rows of a shop."""
    frame = sales(known=True)
    return frame.assign(promo=frame["promo"].map({0.0: "no", 1.0: "yes"}), region=frame["unique_id"].str[0])


def wide() -> pd.DataFrame:
    """Return sales of two goods, a column each."""
    frame = sales(ids=("x",)).rename(columns={"y": "milk"}).drop(columns="unique_id")
    return frame.assign(tea=2 * frame["milk"])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as JSON's rows."""
    return frame.assign(ds=frame["ds"].astype(str)).to_dict("records")

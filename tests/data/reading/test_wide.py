from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.reading.checks import inspect
from foretide.errors import ConfigError, DataError

pytestmark = pytest.mark.frames


def table(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=60)
    return pd.DataFrame({"day": days, "north": rng.poisson(20, 60), "south": rng.normal(30, 2, 60), **columns})


@pytest.mark.parametrize("backend", [lambda f: f, pl.from_pandas], ids=["pandas", "polars"])
def test_every_target_column_is_an_entity(backend: Any) -> None:
    given = backend(table())
    panel = Panel.from_wide(given, time="day", target="rest", melt=True)
    assert panel.ids == ("north", "south")
    assert panel.series == ("north", "south")
    np.testing.assert_array_equal(panel.rows(1)[:, 0], table()["south"])
    forecast = ft.Persistence(h=2).fit(panel).predict(panel).to_frame()
    assert type(forecast) is type(given)
    assert list(forecast["unique_id"]) == ["north", "north", "south", "south"]


def test_series_begin_and_end_on_their_own_and_share_the_other_columns() -> None:
    late, ended = table()["north"].astype(float), table()["south"].copy()
    late[:10], ended[50:] = np.nan, np.nan
    given = table(north=late, south=ended, promo=np.arange(60) % 2, weather=["dry", "wet", None] * 20)
    panel = Panel.from_wide(given, time="day", target=["north", "south"], past=["promo", "weather"], melt=True)
    assert panel.length.tolist() == [50, 50]
    assert panel.first.tolist() == [10, 0]
    assert panel.categories == {"weather": ("dry", "wet")}
    np.testing.assert_array_equal(panel.rows(0)[:, 1], given["promo"][10:])
    # Rows after the end hold what is known ahead; the order of rows does not matter.
    mixed = given.sample(frac=1, random_state=0)
    ahead = Panel.from_wide(mixed, time="day", target=["north", "south"], future=["promo"], melt=True)
    assert dict(zip(ahead.ids, zip(ahead.length, ahead.observed, strict=True), strict=True)) == {
        "north": (50, 50), "south": (60, 50),
    }  # fmt: skip


def test_a_file_is_melted_too(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "w.csv", index=False)
    assert Panel.read(tmp_path / "w.csv", time="day", target=["south", "north"], melt=True).ids == ("south", "north")
    report = inspect(table(), time="day", target=["north", "south"], past=(), melt=True)
    assert (report.rows, report.entities, report.roles["target"]) == (60, 2, ("north", "south"))


def test_names_that_are_taken_are_avoided() -> None:
    panel = Panel.from_wide(table(y=1.0 * np.arange(60)), time="day", target=["north", "south"], past="rest", melt=True)
    assert panel.targets == ("y_",)
    assert panel.past == ("y",)


def test_what_does_not_go_together_is_said() -> None:
    with pytest.raises(DataError, match="'shop' is named as id. Leave out melt, or id"):
        ft.Panel.from_frame(table(shop="a"), id="shop", time="day", target="north", melt=True)
    with pytest.raises(ConfigError, match="only one role can take the rest"):
        Panel.from_wide(table(), time="day", target="rest", past="rest", melt=True)
    with pytest.raises(DataError, match="Column 'north' holds text: 60 values are no numbers, the first is 'a' in row"):
        Panel.from_wide(table(north="a"), time="day", target=["north", "south"], melt=True)

"""An answer has the columns of the table it came from: names, types, index, form of the times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretide.data.reading.checks import look_through
from foretide.data.reading.original import Original

ROLES = dict.fromkeys(("id", "time", "target", "past", "future", "static"))
N = 12
DAYS = pd.date_range("2024-01-01", periods=N)
NEXT = [pd.Timestamp("2024-01-13"), pd.Timestamp("2024-01-14")]
RNG = np.random.default_rng(0)


def answered(frame: Any, **options: Any) -> Any:
    """Two steps after the end of every series, as the table would have them."""
    found = look_through(frame, ROLES, options)  # type: ignore[arg-type]  # options by name
    assert found.panel is not None, found.report.errors
    panel = found.panel
    own = Original.of(panel, found.frame, found.ids, frame, text=found.from_text)
    entities = np.repeat(np.arange(panel.n_entities), 2)
    steps = np.concatenate([panel.last[i] + [1, 2] for i in range(panel.n_entities)])
    return own.frame(entities, steps, {panel.targets[0]: np.arange(len(entities)) + 0.5})


def two_shops(ids: Any, days: Any) -> dict[str, Any]:
    return {"shop": np.repeat(ids, N), "day": list(days) * 2, "sold": RNG.random(2 * N)}


@pytest.mark.parametrize(
    "ids",
    [[7, 3], ["b", "a"], pd.array(["b", "a"], dtype="string"), [np.int8(7), np.int8(3)]],
    ids=["int", "text", "string", "int8"],
)
def test_identifiers_keep_their_values_and_their_type(ids: Any) -> None:
    frame = pd.DataFrame(two_shops(ids, DAYS))
    out = answered(frame)
    assert out.shop.dtype == frame.shop.dtype
    assert out.shop.to_list() == [ids[0], ids[0], ids[1], ids[1]]
    assert out.columns.to_list() == ["shop", "day", "sold"]
    assert out.day.to_list() == NEXT * 2


def test_categories_stay_categories() -> None:
    frame = pd.DataFrame(two_shops(["b", "a"], DAYS)).astype({"shop": pd.CategoricalDtype(["a", "b", "never"])})
    out = answered(frame)
    assert out.shop.dtype == frame.shop.dtype
    assert out.shop.to_list() == ["b", "b", "a", "a"]


def test_several_columns_of_identifiers_stay_several() -> None:
    frame = pd.DataFrame(two_shops(["x", "y"], DAYS))
    out = answered(pd.concat([frame.assign(region=1), frame.assign(region=2)], ignore_index=True))
    assert out[["shop", "region"]].drop_duplicates().to_records(index=False).tolist() == [
        ("x", 1), ("y", 1), ("x", 2), ("y", 2),
    ]  # fmt: skip
    assert out.region.dtype == np.int64


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (DAYS, NEXT[0]),
        (DAYS.date, dt.date(2024, 1, 13)),
        (DAYS.strftime("%Y-%m-%d"), "2024-01-13"),
        (DAYS.strftime("%d.%m.%Y"), "13.01.2024"),
        (DAYS.strftime("%Y-%m-%dT%H:%M:%S"), "2024-01-13T00:00:00"),
        (DAYS.astype("datetime64[s]"), NEXT[0]),
        (DAYS.tz_localize("Europe/Berlin"), pd.Timestamp("2024-01-13", tz="Europe/Berlin")),
        (DAYS.to_period("D"), pd.Period("2024-01-13", "D")),
        (np.arange(1980, 1992), 1992),
        (pd.date_range("2023-01-01", periods=N, freq="MS").strftime("%Y-%m"), "2024-01"),
        (pd.period_range("2023-01", periods=N, freq="M"), pd.Period("2024-01", "M")),
    ],
    ids=["times", "dates", "iso", "german", "iso-t", "seconds", "zone", "period", "years", "months", "monthly-period"],
)
def test_times_keep_their_type_and_form(cells: Any, first: object) -> None:
    frame = pd.DataFrame({"time": cells, "sold": RNG.random(N)})
    out = answered(frame)
    assert out["time"].dtype == frame["time"].dtype
    assert out["time"].iloc[0] == first


def test_whole_numbers_that_are_months_stay_so() -> None:
    months = pd.date_range("2023-01-01", periods=N, freq="MS").strftime("%Y%m").astype(int)
    out = answered(pd.DataFrame({"month": months, "sold": RNG.random(N)}), time_format="%Y%m")
    assert out.month.to_list() == [202401, 202402]


def test_an_index_stays_an_index() -> None:
    out = answered(pd.DataFrame({"sold": RNG.random(N)}, index=DAYS))
    assert out.index.to_list() == NEXT
    assert out.index.name is None
    assert out.columns.to_list() == ["sold"]
    two = pd.MultiIndex.from_product([["a", "b"], DAYS], names=["shop", "day"])
    out = answered(pd.DataFrame({"sold": RNG.random(2 * N)}, index=two))
    assert out.index.names == ["shop", "day"]
    assert out.loc[("b", NEXT[1]), "sold"] == 3.5


def test_names_that_are_no_text_come_back() -> None:
    out = answered(pd.DataFrame({2: RNG.random(N), "day": DAYS}))
    assert out.columns.to_list() == ["day", 2]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (lambda: pl.Series(DAYS.date.tolist()), pl.Date),
        (lambda: pl.Series(DAYS.to_pydatetime().tolist()), pl.Datetime("us")),
        (lambda: pl.Series(DAYS.strftime("%Y-%m-%d").tolist()), pl.String),
    ],
    ids=["date", "datetime", "text"],
)
def test_polars_frames_keep_their_types(cells: Callable[[], pl.Series], kind: Any) -> None:
    frame = pl.DataFrame(two_shops([7, 3], DAYS)).with_columns(pl.concat([cells(), cells()]).alias("day"))
    frame = frame.with_columns(pl.col("shop").cast(pl.Int32))
    out = answered(frame)
    assert isinstance(out, pl.DataFrame)
    assert out.schema == {"shop": pl.Int32, "day": kind, "sold": pl.Float64}
    assert out["shop"].to_list() == [7, 7, 3, 3]
    assert str(out["day"][0]).startswith("2024-01-13")


def test_rows_that_say_the_same_twice_count_once_where_that_is_allowed() -> None:
    frame = pd.DataFrame(two_shops(["a", "b"], DAYS))
    twice = pd.concat([frame, frame.iloc[[5, 7]]], ignore_index=True)
    found = look_through(twice, ROLES, {}, tolerant=True)
    assert found.panel is not None
    assert found.panel.length.tolist() == [N, N]
    assert "2 rows said the same again: each counts once." in [str(p) for p in found.report.notes]
    assert look_through(twice, ROLES, {}).panel is None
    other = pd.concat([frame, frame.iloc[[5]].assign(sold=99.0)], ignore_index=True)
    assert look_through(other, ROLES, {}, tolerant=True).panel is None

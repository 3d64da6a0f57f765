from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretide.data.reading.checks import inspect
from foretide.data.reading.words import said, stem, words_of
from foretide.errors import DataError

pytestmark = pytest.mark.frames

DAYS = pd.date_range("2023-01-02", periods=120)


def stores(n: int = 3, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"store": f"s{k}", "date": DAYS, "sales": rng.poisson(20 + 10 * k, len(DAYS))}) for k in range(n)
    ]
    return pd.concat(parts, ignore_index=True).assign(**columns)


def noise(n: int = 360, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def flags(n: int = 360, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, n)


def items(number: bool = False) -> pd.DataFrame:
    parts = [stores().assign(item=k if number else f"item {k}") for k in range(1, 5)]
    return pd.concat(parts, ignore_index=True).assign(price=noise(1440))


def wide(**columns: Any) -> pd.DataFrame:
    table = stores().pivot(index="date", columns="store", values="sales").reset_index()
    return table.rename_axis(columns=None).assign(**columns)


def codes(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].factorize()[0] + 101 for name in names})


ROLES: dict[str, tuple[pd.DataFrame, dict[str, tuple[str, ...]]]] = {
    "text-id": (stores(), {"id": ("store",), "time": ("date",), "target": ("sales",)}),
    "integer-id": (codes(stores(), "store"), {"id": ("store",)}),
    "integer-id-without-a-name": (codes(stores(), "store").rename(columns={"store": "foo"}), {"id": ("foo",)}),
    "text-id-without-a-name": (stores().rename(columns={"store": "foo"}), {"id": ("foo",)}),
    "id-after-the-others": (stores()[["date", "sales", "store"]], {"id": ("store",), "target": ("sales",)}),
    "id-after-text": (
        stores(weather=np.resize(["dry", "wet", "dry"], 360))[["weather", "date", "sales", "store"]],
        {"id": ("store",), "past": ("weather",)},
    ),
    "two-ids": (items(), {"id": ("store", "item"), "target": ("sales",), "past": ("price",)}),
    "two-integer-ids": (codes(items(number=True), "store"), {"id": ("store", "item"), "past": ("price",)}),
    "by-date": (stores().sort_values("date"), {"id": ("store",)}),
    "three-ids": (
        pd.concat([items().assign(country=c) for c in ("x", "y")]), {"id": ("store", "item", "country")},
    ),
    "row-numbers": (stores(id=np.arange(360)), {"id": ("store",), "target": ("sales",)}),
    "static": (
        items().assign(
            region=lambda f: f["store"].map({"s0": "n", "s1": "n", "s2": "s"}),
            size=lambda f: f["item"].str[-1].astype(float) * 7,
        ),
        {"id": ("store", "item"), "static": ("region", "size"), "past": ("price",)},
    ),
    "german": (
        stores(Preis=noise(), Aktion=flags()).rename(
            columns={"store": "Filiale", "date": "Datum", "sales": "Nettoumsatz"}
        ),
        {"id": ("Filiale",), "time": ("Datum",), "target": ("Nettoumsatz",), "past": ("Preis", "Aktion")},
    ),
    "spanish": (
        stores().rename(columns={"store": "tienda", "date": "fecha", "sales": "ventas"}),
        {"id": ("tienda",), "time": ("fecha",), "target": ("ventas",)},
    ),
    "target-by-place": (
        stores(temp_c=noise()).rename(columns={"sales": "footfall"}), {"target": ("footfall",), "past": ("temp_c",)},
    ),
    "years": (
        pd.DataFrame({"country": ["a"] * 30 + ["b"] * 30, "year": [*range(1990, 2020)] * 2, "gdp": noise(60)}),
        {"id": ("country",), "time": ("year",), "target": ("gdp",)},
    ),
    "columns-of-stock-prices": (
        pd.DataFrame({"Date": DAYS, "Open": noise(120), "Close": noise(120, 5), "Adj Close": noise(120, 6)}),
        {"target": ("Close",), "past": ("Open", "Adj Close")},
    ),
    "unlike-columns": (
        pd.DataFrame({"day": DAYS, "foo": noise(120) * 9, "bar": flags(120) + 3}),
        {"target": ("bar",), "past": ("foo",)},
    ),
    "two-times": (
        pd.DataFrame({"day": np.repeat(DAYS, 24)[:480], "stamp": pd.date_range(DAYS[0], periods=480, freq="h"),
                      "load": noise(480)}),
        {"time": ("stamp",), "target": ("load",)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", [lambda f: f, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("name", sorted(ROLES))
def test_roles_are_guessed(name: str, backend: Any) -> None:
    frame, expected = ROLES[name]
    found = inspect(backend(frame)).roles
    assert {role: found.get(role) for role in expected} == expected
    if "id" not in expected:
        assert "id" not in found or name == "target-by-place"


WIDE: dict[str, tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]] = {
    "numbered": (wide(), ("s0", "s1", "s2"), ()),
    "other-scales": (wide(s1=wide()["s1"] * 500), ("s0", "s1", "s2"), ()),
    "places": (wide().set_axis(["day", "Berlin", "Hamburg", "Munich"], axis=1), ("Berlin", "Hamburg", "Munich"), ()),
    "beside-weather": (wide(temperature=noise(120)), ("s0", "s1", "s2"), ("temperature",)),
    "one-word": (
        wide(price=noise(120)).set_axis(["day", "demand_north", "demand_south", "demand_east", "price"], axis=1),
        ("demand_north", "demand_south", "demand_east"),
        ("price",),
    ),
}


@pytest.mark.parametrize("name", sorted(WIDE))
def test_columns_of_one_kind_are_series(name: str) -> None:
    frame, series, past = WIDE[name]
    report = inspect(frame)
    assert report.ok
    assert (report.roles["target"], report.roles.get("past", ())) == (series, past)
    assert (report.entities, report.melt) == (3, True)
    assert any("These 3 columns are alike: each is taken as a series" in str(p) for p in report.notes)
    one = inspect(frame, target=series[0])
    assert (one.entities, one.melt) == (1, False)


@pytest.mark.parametrize("share", [0.01, 0.06])
def test_duplicates_are_named_and_the_id_is_found(share: float) -> None:
    frame = stores(promo=flags(), event=np.where(flags(seed=3) * flags(seed=4), "sale", "none"))
    again = frame.sample(frac=share, random_state=0).assign(sales=7, promo=1)
    report = inspect(pd.concat([frame, again], ignore_index=True))
    assert report.roles["id"] == ("store",)
    assert {p.kind for p in report.errors} == {"duplicate"}
    assert "more than once, first at 2023-" in str(report.errors[0])


def test_many_rows_a_day_of_a_named_id() -> None:
    report = inspect(pd.concat([stores()] * 3))
    assert report.roles["id"] == ("store",)
    assert report.errors[0].kind == "duplicate"


def test_series_whose_lives_do_not_overlap() -> None:
    parts = [
        pd.DataFrame({"item": f"i{k}", "day": pd.date_range(f"20{k}-03-01", periods=50), "y": noise(50, k)})
        for k in (19, 21, 23)
    ]
    assert inspect(pd.concat(parts)).roles["id"] == ("item",)


def test_columns_that_repeat_the_calendar_are_left_out() -> None:
    day = pd.Series(np.tile(DAYS, 3))
    frame = stores(
        year=day.dt.year, month=day.dt.month_name().str[:3], k=day.dt.isocalendar()["week"].astype(int),
        dow=day.dt.day_of_week + 1, is_weekend=(day.dt.day_of_week >= 5).astype(int),
        Wochentag=day.dt.day_of_week.map(str) + ".", step=np.tile(np.arange(120), 3), empty_shelf=0,
        promo=(day.dt.day_of_week == 5).astype(int),
    )  # fmt: skip
    report = inspect(frame)
    assert report.roles["past"] == ("promo",)  # a plan, though it follows the weekday
    text = report.to_text()
    for name, part in {"year": "year", "month": "month", "k": "week", "dow": "weekday", "Wochentag": "weekday"}.items():
        assert f"Column {name!r} repeats the {part} of the time" in text
    assert "Column 'is_weekend' repeats the weekend" in text
    assert "Column 'step' counts the rows. It is left out." in text
    assert "Column 'empty_shelf' holds one value only. It is left out." in text


@pytest.mark.parametrize("start", [0, 1])
def test_weeks_that_begin_again_count_from_either_number(start: int) -> None:
    day = pd.Series(pd.date_range("2022-01-03", periods=800))
    frame = pd.DataFrame({"day": day, "y": noise(800), "k": day.dt.isocalendar()["week"].astype(int) - 1 + start})
    assert "Column 'k' repeats the week of the time" in inspect(frame).to_text()


def test_hours_are_read_on_the_wall_clock() -> None:
    stamps = pd.date_range("2024-03-01", periods=1200, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"t": stamps, "load": noise(1200), "hour": stamps.hour})
    assert "Column 'hour' repeats the hour" in inspect(frame).to_text()


def test_a_column_known_ahead_needs_rows_after_the_end() -> None:
    frame = stores(promo=flags(), event=np.where(flags(), "sale", None), temp=noise())
    report = inspect(frame)
    assert "future" not in report.roles
    note = next(p for p in report.notes if p.kind == "future")
    assert "'promo', 'event': no values after the end of the target, so taken as past" in str(note)
    assert "type: future=['promo', 'event']" in str(note)
    days = pd.date_range(DAYS[-1], periods=15)[1:]
    later = pd.concat([pd.DataFrame({"store": f"s{k}", "date": days, "promo": 1, "event": "sale"}) for k in range(3)])
    report = inspect(pd.concat([frame, later]))
    assert report.ok
    assert report.roles["future"] == ("promo", "event")
    assert report.roles["past"] == ("temp",)
    # Only a name that says so makes a column known ahead: a sensor may go on while the target is late.
    report = inspect(pd.concat([frame, later.assign(temp=1.0)]))
    assert report.roles["past"] == ("temp",)
    assert any("'temp': values after the end of the target, but taken as past" in str(p) for p in report.notes)


def test_free_text_is_left_out() -> None:
    report = inspect(stores(remark=[f"remark {k}" for k in range(360)]))
    assert report.ok
    assert "Column 'remark' holds free text (360 different ones). It is left out." in report.to_text()


def test_labels_among_zeros_are_categories() -> None:
    report = inspect(stores(state_holiday=np.resize(["0", "0", "0", "a", "b"], 360)))
    assert report.roles["past"] == ("state_holiday",)
    assert report.columns[1].labels == ("0", "a", "b")


def test_what_is_given_is_kept() -> None:
    report = inspect(stores(x=noise()), id="store", time="date", target="x", past=(), future=(), static=())
    assert report.roles == {"id": ("store",), "time": ("date",), "target": ("x",)}
    assert "Column 'sales' has no role. It is left out." in report.to_text()
    with pytest.raises(DataError, match="No column looks like a time among a, b. Type: time='...'"):
        inspect(pd.DataFrame({"a": [1.5, 2.5], "b": ["u", "v"]}))


def test_large_tables_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretide.data.reading.identify._ROWS", 400)
    assert inspect(items()).roles["id"] == ("store", "item")


def test_words_of_names() -> None:
    assert words_of("StoreID_2 Größe") == ("store", "id", "2", "grosse")
    assert stem("Shop A") == stem("shop2") == ("shop",)
    assert said("Weekly_Sales", ("sales", "y")) == "sales"
    assert said("Tagesverbrauch", ("verbrauch",)) == "verbrauch"
    assert said("ysales", ("y",)) is None


@pytest.mark.parametrize(
    ("name", "roles", "entities"),
    [
        ("integer_ids.csv", {"id": ("shop",), "target": ("sales",), "past": ("promo",)}, 3),
        ("one_duplicate.csv", {"id": ("shop",), "target": ("sales",)}, 3),
        ("wide.csv", {"target": ("shop0", "shop1", "shop2")}, 3),
        ("events.csv", {"id": ("unique_id",), "target": ("y",), "past": ("event",)}, 1),
        ("new_shop.csv", {"id": ("shop",), "target": ("sales",)}, 4),
        ("staggered.csv", {"id": ("unique_id",), "target": ("y",)}, 3),
    ],
)
def test_cases(name: str, roles: dict[str, tuple[str, ...]], entities: int) -> None:
    path = Path(__file__).parents[4] / "shared" / "cases" / name
    if not path.is_file():
        pytest.skip("the small inputs lie beside the repository, and are not here")
    report = inspect(path)
    assert {role: report.roles[role] for role in roles} == roles
    assert report.entities == entities
    assert report.ok == (name != "one_duplicate.csv")

from __future__ import annotations

import datetime as dt
import json

import holidays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.data.time.calendar import FEATURES, Calendar
from foretide.data.time.grid import Grid
from foretide.errors import ConfigError

HOURLY = Grid(pd.Timestamp("2023-12-20 07:00"), "h")


@settings(max_examples=40)
@given(step=st.integers(-50_000, 50_000), freq=st.sampled_from(["h", "30min", "D"]))
def test_features_agree_with_python_datetimes(step: int, freq: str) -> None:
    grid = Grid(pd.Timestamp("2023-12-20 07:00"), freq)
    calendar = Calendar(features=FEATURES)
    got = dict(zip(calendar.names(grid), calendar.values(grid, [step])[0], strict=True))
    t = dt.datetime(2023, 12, 20, 7) + step * {"h": dt.timedelta(hours=1), "30min": dt.timedelta(minutes=30),
                                               "D": dt.timedelta(days=1)}[freq]  # fmt: skip
    next_month = (t.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    days = (next_month - t.replace(day=1)).days
    year_days = (dt.date(t.year + 1, 1, 1) - dt.date(t.year, 1, 1)).days
    turns = {
        "minute": t.minute / 60,
        "hour": (t.hour + t.minute / 60) / 24,
        "weekhour": (t.weekday() * 24 + t.hour + t.minute / 60) / 168,
        "monthday": (t.day - 1) / days,
        "month": (t.month - 1) / 12,
        "quarter": ((t.month - 1) // 3) / 4,
        "yearday": (t.timetuple().tm_yday - 1) / year_days,
    }
    for name, turn in turns.items():
        assert got[f"{name}_sin"] == pytest.approx(np.sin(2 * np.pi * turn), abs=1e-5)
        assert got[f"{name}_cos"] == pytest.approx(np.cos(2 * np.pi * turn), abs=1e-5)
    week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    assert [got[f"weekday_{d}"] for d in week] == [float(k == t.weekday()) for k in range(7)]
    assert got["weekend"] == float(t.weekday() >= 5)


@pytest.mark.parametrize("country", ["DE", "US", ("AU", "VIC"), ("DE", "BY")])
def test_holidays_cover_the_day_and_its_neighbours(country: str | tuple[str, str]) -> None:
    code, part = (country, None) if isinstance(country, str) else country
    listed = holidays.country_holidays(code, subdiv=part, years=range(2022, 2026))
    got = Calendar(features=(), country=country).values(HOURLY, np.arange(-2000, 12_000))
    times = HOURLY.times(np.arange(-2000, 12_000))
    for k in range(0, len(times), 97):
        day = times[k].date()
        near = [day, day + dt.timedelta(days=1), day - dt.timedelta(days=1)]
        np.testing.assert_array_equal(got[k], [float(d in listed) for d in near])
    christmas = np.flatnonzero(times.normalize() == pd.Timestamp("2023-12-25"))
    assert len(christmas) == 24
    assert got[christmas, 0].all()
    assert got[christmas - 24, 1].all()
    assert got[christmas + 24, 2].all()


def test_new_year_is_seen_from_the_years_beside_it() -> None:
    daily = Grid(pd.Timestamp("2023-12-31"), "D")
    got = Calendar(features=(), country="DE").values(daily, [0, 1, 2])
    np.testing.assert_array_equal(got, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(Calendar(features=(), country="DE").values(daily, [0]), [[0, 1, 0]])


def test_the_wall_clock_of_the_zone_counts() -> None:
    melbourne = Grid(pd.Timestamp("2023-12-24 12:00"), "h", tz="Australia/Melbourne")  # 23:00 there
    calendar = Calendar(features=("hour", "weekday"), country=("AU", "VIC"))
    got = pd.DataFrame(calendar.values(melbourne, range(30)), columns=list(calendar.names(melbourne)))
    assert got["hour_cos"][1] == pytest.approx(1)
    assert got["weekday_sun"].tolist()[:2] == [1, 0]
    assert got["holiday"].tolist() == [0.0] + [1.0] * 29  # 25 and 26 December, by the local day
    berlin = Grid(pd.Timestamp("2024-03-30 23:00"), "h", tz="Europe/Berlin")  # 00:00 there; the clock skips 02:00
    hours = Calendar(features=("hour",)).values(berlin, range(4))
    angle = np.arctan2(hours[:, 0], hours[:, 1]) / (2 * np.pi) * 24
    np.testing.assert_allclose(angle, [0, 1, 3, 4], atol=1e-4)


def test_past_and_future_steps_and_dtype() -> None:
    calendar = Calendar.for_freq("h", country="DE")
    got = calendar.values(HOURLY, [-5, 0, 100_000])
    assert got.dtype == np.float32
    assert got.shape == (3, len(calendar.names()))
    assert np.isfinite(got).all()
    assert calendar.values(HOURLY, []).shape == (0, len(calendar.names()))


@pytest.mark.parametrize(
    ("freq", "features", "keeps_country"),
    [
        ("30min", ("minute", "hour", "weekday", "yearday"), True), ("h", ("hour", "weekday", "yearday"), True),
        ("2h", ("hour", "weekday", "yearday"), True), ("D", ("weekday", "monthday", "yearday"), True),
        ("B", ("weekday", "monthday", "yearday"), True), ("W-MON", ("yearday",), True), ("MS", ("month",), True),
        ("ME", ("month",), True), ("QS", ("quarter",), True), ("YS", (), False),
    ],
)  # fmt: skip
def test_features_by_frequency(freq: str, features: tuple[str, ...], keeps_country: bool) -> None:
    found = Calendar.for_freq(freq, country="DE")
    assert found.features == features
    assert (found.country == "DE") == keeps_country


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"features": ("huor",)}, "no calendar feature 'huor'. Did you mean 'hour'"),
        ({"features": ("hour", "hour")}, "named twice"),
        ({"country": "Germany"}, "no country 'Germany'. Did you mean 'DE'"),
        ({"country": "Germny"}, "Did you mean 'DE' .Germany"),
        ({"country": "de"}, "Did you mean 'DE'"),
        ({"country": "XX"}, "no country 'XX'. Give a two-letter ISO code"),
        ({"country": ("AU", "VCI")}, "'AU' has no subdivision 'VCI'. Did you mean 'VIC'"),
        ({"country": 49}, "country is a code such as 'DE'.*got 49"),
    ],
)
def test_wrong_settings_are_named(settings_: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Calendar(**settings_)  # type: ignore[arg-type]


def test_integer_time_has_no_calendar() -> None:
    with pytest.raises(ConfigError, match=r"integers and has no calendar. Give dates"):
        Calendar.for_freq(1)
    with pytest.raises(ConfigError, match="integers and has no calendar"):
        Calendar().values(Grid(0, 1), [1, 2])
    with pytest.raises(ConfigError, match="integers and has no calendar"):
        Calendar().names(Grid(0, 1))


def test_facts_go_through_json() -> None:
    for calendar in (Calendar.for_freq("D", ("AU", "VIC")), Calendar(features=("hour",)), Calendar(country="DE")):
        assert Calendar.from_dict(json.loads(json.dumps(calendar.to_dict()))) == calendar


@pytest.mark.parametrize(
    ("freq", "start"),
    [
        ("W-SUN", "2023-01-01"), ("W-MON", "2023-01-02"), ("W-WED", "2023-01-04"), ("MS", "2023-01-01"),
        ("ME", "2023-01-31"), ("QS-JAN", "2023-01-01"), ("QE-DEC", "2023-03-31"), ("SMS-15", "2023-01-01"),
        ("MS+14D", "2023-01-15"), ("4D", "2023-01-01"), ("7D", "2023-01-03"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_longer_steps_count_the_holidays_in_them(freq: str, start: str, zone: str | None) -> None:
    grid = Grid(pd.Timestamp(start), freq, zone, wall=zone is not None)
    got = Calendar(features=(), country="DE").values(grid, range(1, 9))
    free = holidays.country_holidays("DE", years=range(2022, 2026))
    days = pd.date_range("2022-06-01", "2025-06-01")
    flags = pd.DataFrame(
        [[(day + pd.Timedelta(k, "D")).date() in free for k in (0, 1, -1)] for day in days], index=days, dtype=float
    )
    shift = pd.Timedelta(14 if "+" in freq else 0, "D")
    rule = freq.partition("+")[0]
    origin = {"origin": pd.Timestamp(start)} if rule in ("4D", "7D") else {}
    twin = flags.set_axis(flags.index - shift).resample(rule, **origin).sum()
    twin.index = twin.index + shift
    np.testing.assert_array_equal(got, twin.loc[list(grid.times(range(1, 9)))])


def test_a_month_with_easter_counts_it() -> None:
    march = Grid(pd.Timestamp("2024-03-01"), "MS")
    got = Calendar.for_freq("MS", country="DE")
    table = pd.DataFrame(got.values(march, range(3)), columns=list(got.names()))
    assert table["holiday"].tolist() == [1, 1, 3]  # Good Friday; Easter Monday; Labour Day, Ascension, Whit Monday
    years = Calendar.for_freq("YS", country="DE")
    assert years.country is None

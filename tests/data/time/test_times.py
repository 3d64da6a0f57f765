"""Times are read right, or refused with advice that works when typed."""

from __future__ import annotations

import ast
import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.checks import inspect
from foretide.errors import ConfigError, DataError
from foretide.forecasters.simple.baselines import Persistence

pytestmark = pytest.mark.frames
BERLIN = "Europe/Berlin"
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


def frame_of(times: Any) -> pd.DataFrame:
    return pd.DataFrame({"ds": times, "y": np.arange(len(times)) * 1.0})


def read_back(times: Any, **options: Any) -> list[str]:
    frame = frame_of(times)
    seen = [Panel.from_frame(f, id=None, **options).to_frame()["ds"] for f in (frame, pl.from_pandas(frame))]
    assert list(map(str, seen[0])) == list(map(str, seen[1].to_pandas()))
    return [str(time).removesuffix(" 00:00:00") for time in seen[0]]


def typed(message: str) -> list[dict[str, Any]]:
    """Return the options that a message says to type, as separate ways out."""
    found = re.findall(r"\b(time_format|resample|freq|fill_gaps|tz)=('[^']*'|True|\d+)", message)
    return [{name: ast.literal_eval(value)} for name, value in found]


def notes(times: Any, **options: Any) -> str:
    return " ".join(map(str, inspect(frame_of(times), time="ds", target="y", **options).notes))


DAYS = ["2024-01-30", "2024-01-31", "2024-02-01"]
MONTHS = ["2023-12-01", "2024-01-01", "2024-02-01"]
FORMS: dict[str, tuple[list[str], list[str]]] = {
    "quarters": (["2023Q4", "2024Q1", "2024Q2"], ["2023-10-01", "2024-01-01", "2024-04-01"]),
    "quarters-dash": (["2023-Q4", "2024-Q1", "2024-Q2"], ["2023-10-01", "2024-01-01", "2024-04-01"]),
    "quarters-first": (["Q4 2023", "Q1 2024", "Q2 2024"], ["2023-10-01", "2024-01-01", "2024-04-01"]),
    "months": (["2023-12", "2024-01", "2024-02"], MONTHS),
    "months-bare": (["202312", "202401", "202402"], MONTHS),
    "months-m": (["2023M12", "2024M01", "2024M02"], MONTHS),
    "months-m-short": (["2023M12", "2024M1", "2024M2"], MONTHS),
    "months-slash": (["12/2023", "01/2024", "02/2024"], MONTHS),
    "months-named": (["Dec 2023", "Jan 2024", "Feb 2024"], MONTHS),
    "months-long": (["December 2023", "January 2024", "February 2024"], MONTHS),
    "years": (["2022", "2023", "2024"], ["2022-01-01", "2023-01-01", "2024-01-01"]),
    "half-years": (["2023H1", "2023H2", "2024H1"], ["2023-01-01", "2023-07-01", "2024-01-01"]),
    "weeks": (["2024-W05", "2024-W06", "2024-W07"], ["2024-01-29", "2024-02-05", "2024-02-12"]),
    "weeks-bare": (["2024W52", "2025W01", "2025W02"], ["2024-12-23", "2024-12-30", "2025-01-06"]),
    "compact": (["20240130", "20240131", "20240201"], DAYS),
    "dots": (["30.01.2024", "31.01.2024", "01.02.2024"], DAYS),
    "dots-first-of-months": (["01.01.2024", "01.02.2024", "01.03.2024"], ["2024-01-01", "2024-02-01", "2024-03-01"]),
    "dots-short": (["30.1.2024", "31.1.2024", "1.2.2024"], DAYS),
    "day-first": (["30/01/2024", "31/01/2024", "01/02/2024"], DAYS),
    "month-first": (["01/30/2024", "01/31/2024", "02/01/2024"], DAYS),
    "year-first": (["2024/01/30", "2024/01/31", "2024/02/01"], DAYS),
    "named": (["30 Jan 2024", "31 Jan 2024", "1 Feb 2024"], DAYS),
    "named-first": (["January 30, 2024", "January 31, 2024", "February 1, 2024"], DAYS),
    "weekday": (["Tue, 30 Jan 2024", "Wed, 31 Jan 2024", "Thu, 01 Feb 2024"], DAYS),
    "day-first-compact": (["30012024", "31012024", "01022024"], DAYS),
    "two-digits": (["30/12/98", "31/12/98", "01/01/99"], ["1998-12-30", "1998-12-31", "1999-01-01"]),
    "clock": (
        ["31.01.2024 22:00", "31.01.2024 23:00", "01.02.2024 00:00"],
        ["2024-01-31 22:00:00", "2024-01-31 23:00:00", "2024-02-01"],
    ),
    "am-pm": (
        ["1/31/2024 10:00 PM", "1/31/2024 11:00 PM", "2/1/2024 12:00 AM"],
        ["2024-01-31 22:00:00", "2024-01-31 23:00:00", "2024-02-01"],
    ),
    "zone": (
        ["31.01.2024 22:00 +01:00", "31.01.2024 23:00 +01:00", "01.02.2024 00:00 +01:00"],
        ["2024-01-31 22:00:00+01:00", "2024-01-31 23:00:00+01:00", "2024-02-01 00:00:00+01:00"],
    ),
    "utc": (
        ["2024-01-31 22:00 UTC", "2024-01-31 23:00 UTC", "2024-02-01 00:00 UTC"],
        ["2024-01-31 22:00:00+00:00", "2024-01-31 23:00:00+00:00", "2024-02-01 00:00:00+00:00"],
    ),
}  # fmt: skip
IN_SILENCE = ("months", "years", "compact", "year-first", "utc")


@pytest.mark.parametrize("name", sorted(FORMS))
def test_forms_that_mean_one_thing_are_read_and_said(name: str) -> None:
    words, expected = FORMS[name]
    assert read_back(words) == expected
    said = notes(words)
    assert ("read as" in said) == (name not in IN_SILENCE)
    form = re.search(r"read as (%.*)\. ?", said)
    if form:
        assert read_back(words, time_format=form[1].partition(". ")[0]) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["05/06/2024", "06/06/2024", "07/06/2024"], ["05-06-2024", "06-06-2024", "07-06-2024"],
        ["5/6/2024 10:00", "6/6/2024 10:00", "7/6/2024 10:00"], ["01-02-03", "02-02-03", "03-02-03"],
        ["01022024", "02022024", "03022024"],
    ],
)  # fmt: skip
def test_forms_that_mean_two_things_are_refused_with_both(words: list[str]) -> None:
    with pytest.raises(
        DataError, match=r"times do not have the form .* is \d{4}-.* with time_format=.*, or "
    ) as caught:
        Panel.from_frame(frame_of(words), id=None, freq="D", fill_gaps=True)
    ways = typed(str(caught.value))
    assert len(ways) >= 2
    for way in ways:
        told = re.search(rf"'([^']*)' is .*?(\d{{4}}-\d\d-\d\d) with time_format='{re.escape(way['time_format'])}'",
                         str(caught.value))  # fmt: skip
        assert told
        assert str(pd.to_datetime(told[1], format=way["time_format"]).date()) == told[2]
        assert len(Panel.from_frame(frame_of(words[:1]), id=None, freq="D", **way).values) == 1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([202311, 202312, 202401], ["2023-11-01", "2023-12-01", "2024-01-01"]),
        ([20240130, 20240131, 20240201], DAYS),
        ([2024013122, 2024013123, 2024020100], ["2024-01-31 22:00:00", "2024-01-31 23:00:00", "2024-02-01"]),
        *(
            ([1706572800 * size + 86_400 * size * k for k in range(3)], [f"{day} 00:00:00+00:00" for day in DAYS])
            for size in (1, 10**3, 10**6, 10**9)
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [int, float, str])
def test_numbers_that_look_like_dates_are_refused_with_what_to_type(
    numbers: list[int], expected: list[str], kind: type
) -> None:
    given = np.array(numbers).astype(kind) if kind is not str else list(map(str, numbers))
    if kind is str and not expected[0].endswith("+00:00"):  # text such as 202401 and 20240131 means one thing
        assert read_back(given) == expected
        return
    with pytest.raises(DataError, match="look like") as caught:
        read_back(given)
    (way,) = typed(str(caught.value))
    assert read_back(given, **way) == expected


def test_epochs_with_fractions_zones_and_holes() -> None:
    seconds = [1706572800.5, 1706576400.5, 1706580000.5]
    assert read_back(seconds, time_format="epoch_s")[0] == "2024-01-30 00:00:00.500000+00:00"
    assert read_back([1706572800, 1706576400], time_format="epoch_s", tz=BERLIN)[0] == "2024-01-30 01:00:00+01:00"
    with pytest.raises(DataError, match="1 row has no time, the first is row 1"):
        Panel.from_frame(frame_of([1706572800, None, 1706580000]), id=None, time_format="epoch_s")
    with pytest.raises(DataError, match=r"do not have the form 'epoch_s'; the first is 'x' in row 1.*time_format out"):
        Panel.from_frame(frame_of(["1706572800", "x", "1706580000"]), id=None, time_format="epoch_s")


def test_small_counters_and_years_stay_integers() -> None:
    for numbers in ([1, 2, 3], [0, 5, 10], [100_001, 100_002, 100_003], [2020, 2021, 2022]):
        assert Panel.from_frame(frame_of(numbers), id=None).grid.is_integer
    assert "time_format='%Y'" in notes([2020, 2021, 2022])
    assert read_back([2020, 2021, 2022], time_format="%Y") == ["2020-01-01", "2021-01-01", "2022-01-01"]


def test_a_bad_cell_among_good_ones_is_named() -> None:
    with pytest.raises(DataError, match=r"1 of 4 times do not have the form '%d/%m/%Y'; the first is 'soon' in row 3"):
        Panel.from_frame(frame_of(["30/01/2024", "31/01/2024", "01/02/2024", "soon"]), id=None)


def test_a_wrong_format_is_answered_with_the_right_one() -> None:
    for words, given in (
        (FORMS["dots"][0], "%d/%m/%Y"), (FORMS["month-first"][0], "%d/%m/%Y"),
        (["05/06/2024", "06/06/2024"], "%Y-%m-%d"),
        (["2024-01-30", "2024-01-31"], "%d.%m.%Y"), (["1706572800", "1706659200"], "%Y%m%d"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=re.escape(f"do not have the form {given!r}")) as caught:
            Panel.from_frame(frame_of(words), id=None, time_format=given)
        ways = typed(str(caught.value)) or [{}]
        assert ("leave time_format out" in str(caught.value)) == (ways == [{}])
        for way in ways:
            assert len(Panel.from_frame(frame_of(words), id=None, **{"freq": "D", "fill_gaps": True, **way}).values) > 1
    for given in ("dd.mm.yyyy", "epoch", "%Q", "mixed", "unix"):
        with pytest.raises(ConfigError, match="Expected a format such as '%d.%m.%Y' or .*, or one of epoch_s"):
            Panel.from_frame(frame_of(FORMS["dots"][0]), id=None, time_format=given)


# ------------------------------------------------------------------------------ beyond 1678 to 2261
FAR: dict[str, Any] = {
    "us": np.array(["2270-01-01", "2270-01-02", "2270-01-03"], dtype="datetime64[us]"),
    "s": np.array(["1500-01-01", "1500-01-02", "1500-01-03"], dtype="datetime64[s]"),
    "text": ["2270-01-01", "2270-01-02", "2270-01-03"],
    "old-text": ["1500-01-01", "1500-01-02", "1500-01-03"],
    "dates": [dt.date(2270, 1, day) for day in (1, 2, 3)],
    "periods": pd.period_range("2270-01-01", periods=3, freq="D"),
    "zone": pd.Series(["2270-01-01T00:00Z", "2270-01-02T00:00Z", "2270-01-03T00:00Z"]),
    "some": np.array(["2024-01-01", "2270-01-02", "2270-01-03"], dtype="datetime64[ms]"),
}


@pytest.mark.parametrize("name", sorted(FAR))
def test_dates_beyond_nanoseconds_are_named_and_can_be_counted(name: str) -> None:
    frame = frame_of(FAR[name])
    with pytest.raises(DataError, match=r"lie beyond the years 1678 to 2261, the first is (2270-01-0[12]|1500-01-01)"):
        Panel.from_frame(frame, id=None)
    frame["ds"] = frame["ds"].rank(method="dense").astype(int)  # as the message says
    assert Panel.from_frame(frame, id=None).length.tolist() == [3]


def test_the_case_of_the_year_2270() -> None:
    if not CASES.is_dir():
        pytest.skip("no shared cases beside this checkout")
    with pytest.raises(DataError, match="30 times lie beyond the years 1678 to 2261, the first is 2270-01-01 in row 0"):
        Panel.from_frame(pd.read_parquet(CASES / "year_2270.parquet"), id=None)


# ------------------------------------------------------------------------------------------- zones
def test_zones_of_any_kind_keep_their_name(tmp_path: Path) -> None:
    import zoneinfo

    tz = pytest.importorskip("dateutil.tz")
    zones: dict[str, Any] = {
        "+05:30": dt.timezone(dt.timedelta(hours=5, minutes=30)), "-03:00": tz.tzoffset(None, -10800),
        BERLIN: zoneinfo.ZoneInfo(BERLIN), "UTC": dt.UTC,
    }  # fmt: skip
    for name, zone in zones.items():
        frame = frame_of(pd.date_range("2024-03-25", periods=10, tz=zone))
        frame.to_parquet(tmp_path / "zone.parquet")
        for read in (frame, pd.read_parquet(tmp_path / "zone.parquet")):
            panel = Panel.from_frame(read, id=None)
            assert panel.grid.tz == name
            assert "2024-03-25 00:00:00" in repr(panel)
            forecast = Persistence(h=2).fit(panel).predict(panel).to_frame()
            assert list(forecast["ds"]) == list(pd.date_range("2024-04-04", periods=2, tz=zone))
            assert list(panel.to_frame()["ds"]) == list(frame["ds"])
    berlin = frame_of(pd.date_range("2024-03-25", periods=10, tz=tz.gettz(BERLIN)))
    assert Panel.from_frame(berlin, id=None).grid.tz == BERLIN


def test_the_case_of_the_fixed_offset() -> None:
    if not CASES.is_dir():
        pytest.skip("no shared cases beside this checkout")
    panel = Panel.from_frame(pd.read_parquet(CASES / "fixed_offset.parquet"), id=None)
    assert (panel.grid.tz, panel.grid.freq) == ("+05:30", "D")
    assert "2024-01-01 05:30:00+05:30" in repr(panel)
    assert str(Persistence(h=1).fit(panel).predict(panel).to_frame()["ds"][0]) == "2024-01-31 05:30:00+05:30"


@pytest.mark.parametrize(
    ("tz", "kept"), [("UTC+2", "+02:00"), ("+0530", "+05:30"), ("-03", "-03:00"), ("+00:00", "UTC")]
)
def test_offsets_are_zones(tz: str, kept: str) -> None:
    panel = Panel.from_frame(frame_of(pd.date_range("2024-03-25", periods=10, freq="h")), id=None, tz=tz)
    assert panel.grid.tz == kept
    assert str(panel.grid.output_times([0])[0]).startswith("2024-03-25 00:00:00")


def test_zones_that_are_not_known() -> None:
    for tz, message in (("GMT+2", "not a known time zone"), ("UTC+25", "not a known"), ("", "not a known")):
        with pytest.raises(ConfigError, match=message):
            Panel.from_frame(frame_of(pd.date_range("2024-03-25", periods=10)), id=None, tz=tz)


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Sydney"])
def test_offsets_that_change_are_kept_in_utc_and_a_zone_is_named(zone: str) -> None:
    start = "2024-03-05" if zone == "America/New_York" else "2024-03-30"
    hours = pd.date_range(start, periods=24 * 9, freq="h", tz=zone)
    words = [time.isoformat() for time in hours]
    panel = Panel.from_frame(frame_of(words), id=None)
    assert (panel.grid.tz, panel.grid.freq) == ("UTC", "h")
    way = typed(notes(words))[0]
    assert (Panel.from_frame(frame_of(words), id=None, **way).grid.output_times(range(len(hours))) == hours).all()
    assert "several offsets" not in notes(words, **way)
    days = pd.date_range(start, periods=14, freq="D", tz=zone)
    with pytest.raises(DataError, match=r"do not lie on steps of D.*Name the zone: tz=") as caught:
        Panel.from_frame(frame_of([day.isoformat() for day in days]), id=None)
    way = typed(str(caught.value))[0]
    assert list(Panel.from_frame(frame_of([day.isoformat() for day in days]), id=None, **way).to_frame()["ds"]) == list(
        days
    )


def test_datetime_objects_of_one_zone_keep_it() -> None:
    hours = pd.date_range("2024-03-30", periods=50, freq="h", tz=BERLIN)
    assert Panel.from_frame(frame_of(pd.Series(list(hours), dtype=object)), id=None).grid.tz == BERLIN


def test_a_skipped_hour_can_be_taken_as_it_is() -> None:
    frame = frame_of(pd.date_range("2024-03-30", periods=72, freq="h"))
    with pytest.raises(
        DataError, match=r"1 time does not exist in Europe/Berlin .* 2024-03-31 02:00:00\. Leave tz out"
    ):
        Panel.from_frame(frame, id=None, tz=BERLIN)
    assert Panel.from_frame(frame, id=None).length.tolist() == [72]


@pytest.mark.parametrize("seed", range(5))
def test_irregular_times_follow_the_advice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.integers(1, [9, 90, 5_000, 50_000, 400_000][seed], 80)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(gaps), "min")
    with pytest.raises(DataError, match="the steps have no regular length|The steps have no regular length") as caught:
        Panel.from_frame(frame_of(times), id=None)
    way = next(w for w in typed(str(caught.value)) if "resample" in w)
    panel = Panel.from_frame(frame_of(times), id=None, fill_gaps=True, **way)
    means = pd.Series(np.arange(80.0), times).resample(way["resample"]).mean()
    np.testing.assert_allclose(panel.values[:, 0], means)


# -------------------------------------------------------------------------------------- damage
SIGNS = "0123456789-/:. TZ+QWx\u00e4"


def test_damaged_times_get_an_error_of_ours() -> None:
    rng = np.random.default_rng(0)
    good = [word for words, _ in FORMS.values() for word in words]
    for _ in range(400):
        words = []
        for _ in range(int(rng.integers(1, 9))):
            letters = list(good[int(rng.integers(len(good)))])
            for _ in range(int(rng.integers(3))):
                letters.insert(int(rng.integers(len(letters) + 1)), SIGNS[int(rng.integers(len(SIGNS)))])
            words.append("".join(letters))
        options = [{}, {"time_format": "%d/%m/%Y"}, {"time_format": "epoch_s"}, {"tz": BERLIN}, {"resample": "ME"}]
        try:
            panel = Panel.from_frame(frame_of(words), id=None, missing="mask", **options[int(rng.integers(5))])
        except DataError:
            continue
        assert len(panel.to_frame()) == panel.length.sum()
        with pytest.raises(DataError, match=r"Expected a time|counts time in integers"):
            panel.grid.normalise("".join(rng.permutation(list("x2024-01-01"))) + "?")


@pytest.mark.parametrize(
    "times",
    [
        [1, "a", None, 2.5], [dt.date(2024, 1, 1), 5, "2024-01-03"], [True, False, True], [1e300, 2e300, 3e300],
        [float("inf"), 1.0, 2.0], ["99999999999999999999", "1e400", "-5"], pd.to_timedelta(np.arange(3), "D"),
        [None, None, None], ["", " ", "-"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("time_format", [None, "%Y-%m-%d", "epoch_ns"])
def test_what_is_no_time_at_all(times: Any, time_format: str | None) -> None:
    with pytest.raises(DataError, match="'ds'"):
        Panel.from_frame(frame_of(times), id=None, time_format=time_format)

"""What the page draws: thinned, rounded, and nothing in it can become code."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import pages
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.pictures.plotly import escaped, rounded
from foretide.report.content import AttentionWeights
from foretide.report.render.page import script_json
from foretide.report.run.attention import attention_data
from foretide.report.run.forecasts import CHAIN, MOST_POINTS, forecast_data

LEVELS = {"Net": (80.0, 95.0)}


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_in_a_script_reads_back_and_holds_no_markup(value: object) -> None:
    text = script_json(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_a_number_that_is_none_is_refused_in_json() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        script_json([math.nan])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_numbers_have_five_significant_digits(values: list[float]) -> None:
    for given_, kept in zip(values, rounded(values), strict=True):
        if not math.isfinite(given_):
            assert kept is None
        else:
            assert kept is not None
            assert kept == pytest.approx(given_, rel=5.1e-5, abs=1e-320)


def test_names_are_shown_letter_by_letter() -> None:
    assert escaped("<b>&</b>") == "&lt;b&gt;&amp;&lt;/b&gt;"


def test_windows_of_the_chain_do_not_overlap_and_hold_what_was_forecast() -> None:
    frame = pages.forecasts(n=8)
    data = forecast_data(frame, ["Net", "Naive"], LEVELS)
    assert data["views"] == [CHAIN, "1", "3"]
    one = next(s for s in data["series"] if s["name"] == "d")["views"]
    times = [data["times"][i] for i in data["grids"][one[CHAIN]["grid"]]]
    # Cutoffs 2, 5 and 8 January, counted back from the newest; by a loop:
    wanted = [str((pd.Timestamp(2024, 1, c) + pd.Timedelta(days=k)).date()) for c in (2, 5, 8) for k in (1, 2, 3)]
    assert times == wanted
    assert one[CHAIN]["starts"] == [0, 3, 6]
    known = frame[(frame["unique_id"] == "d")].set_index(["cutoff", "h_step"])
    rows = [known.loc[(pd.Timestamp(2024, 1, c), k)] for c in (2, 5, 8) for k in (1, 2, 3)]
    assert one[CHAIN]["y"] == [row["y"] for row in rows]
    assert one[CHAIN]["mean"]["Naive"] == [row["Naive"] for row in rows]
    assert one[CHAIN]["bounds"]["Net"]["80"][1] == [row["Net-hi-80"] for row in rows]
    assert "Naive" not in one[CHAIN]["bounds"]
    assert len(one["1"]["y"]) == 8
    assert one["1"]["starts"] == []


def test_series_that_do_not_fit_are_left_out_evenly() -> None:
    names = tuple(f"s{k:02d}" for k in range(20))
    frame = pages.forecasts(n=4, series=names)
    whole = forecast_data(frame, ["Net"], LEVELS)
    assert [s["name"] for s in whole["series"]] == list(names)
    size = len(script_json(whole["series"][0]["views"]))
    some = forecast_data(frame, ["Net"], LEVELS, order=names[::-1], budget=int(size * 5.5))
    kept = [s["name"] for s in some["series"]]
    places = [int(name[1:]) for name in kept]
    assert 3 <= len(kept) <= 6
    assert max(np.diff([-1, *places, 20])) <= 8  # no stretch of the order is without a series
    assert some["total"] == 20
    assert len(forecast_data(frame, ["Net"], LEVELS, budget=1)["series"]) == 1


def test_long_series_keep_their_newest_points() -> None:
    n = MOST_POINTS + 50
    steps = np.arange(n)
    frame = pd.DataFrame({"unique_id": "a", "ds": steps + 1, "cutoff": steps, "h_step": 1, "y": steps * 1.0, "M": 0.0})
    data = forecast_data(frame, ["M"], {})
    one = data["series"][0]["views"][CHAIN]
    assert data["cut"]
    assert data["views"] == [CHAIN]
    assert one["y"] == [float(k) for k in range(50, n)]
    assert data["times"][data["grids"][one["grid"]][0]] == 51


def test_what_came_before_ends_where_the_first_forecast_drawn_begins() -> None:
    frame = pages.forecasts(n=5)  # cutoffs January 1 to 5, so the chain of three steps begins at January 3
    data = forecast_data(frame, ["Net"], LEVELS, before=pages.before())
    one = next(s for s in data["series"] if s["name"] == pages.EVIL)
    assert data["times"][data["grids"][one["views"][CHAIN]["grid"]][0]] == "2024-01-03"
    truth = frame[frame["unique_id"] == pages.EVIL].drop_duplicates("ds").set_index("ds")["y"]
    days = [data["times"][place] for place in data["grids"][one["before"]["grid"]]]
    assert days == ["2023-12-30", "2023-12-31", "2024-01-01", "2024-01-02"]
    assert one["before"]["y"] == [2, 3, 4, truth["2024-01-02"]]
    assert [s["name"] for s in data["series"] if "before" in s] == [pages.EVIL]


def test_attention_reads_back_to_sixteen_bits() -> None:
    kept = pages.attention(n=5)
    data = attention_data({"Net": kept})["Net"]
    read = np.frombuffer(base64.b64decode(data["data"]), dtype="<u2").reshape(data["shape"]) * data["scale"]
    assert data["series"] == [[-1, "all 2 series"], [0, pages.EVIL], [1, "d"]]
    wanted = {
        (-1, "mean of 5 windows"): kept.weights.mean(axis=0),
        (0, "mean of 3 windows"): kept.weights[:3].mean(axis=0),
        **{(0, f"window {k}"): kept.weights[k] for k in range(3)},
        (1, "mean of 2 windows"): kept.weights[3:].mean(axis=0),
        **{(1, f"window {k}"): kept.weights[k] for k in (3, 4)},
    }
    assert data["windows"] == list(wanted)
    np.testing.assert_allclose(read, np.stack(list(wanted.values())), atol=1e-5)
    assert (data["kept"], data["total"]) == (5, 5)


def test_attention_that_does_not_fit_is_thinned_then_averaged_then_left_out() -> None:
    kept = AttentionWeights(np.full((9, 2, 3, 5), 0.2, np.float32), [str(k) for k in range(9)], ["one"] * 9)
    one = 2 * 3 * 5 * 8 / 3
    thinned = attention_data({"A": kept}, budget=int(one * 4.5))["A"]
    assert thinned["windows"] == [(0, "mean of 9 windows"), (0, "0"), (0, "4"), (0, "8")]
    assert thinned["series"] == [[0, "one"]]
    assert len(thinned["data"]) <= one * 4.5
    averaged = attention_data({"A": kept}, budget=int(one * 0.6))["A"]
    assert averaged["averaged"]
    assert averaged["shape"] == [1, 1, 3, 5]
    assert attention_data({"A": kept}, budget=int(one * 0.4)) == {}


def test_attention_of_many_series_keeps_some_of_them_whole() -> None:
    names = [f"s{k // 4}" for k in range(40)]
    kept = AttentionWeights(np.full((40, 1, 2, 3), 1 / 3, np.float32), [str(k) for k in range(40)], names)
    one = 1 * 2 * 3 * 8 / 3
    data = attention_data({"A": kept}, budget=int(one * 7.2))["A"]
    # One mean, then the mean of three series evenly spread and a window of each.
    assert [name for _, name in data["series"]] == ["all 10 series", "s0", "s4", "s9"]
    own = [name for _, name in data["windows"]]
    assert own == ["mean of 40 windows", *(text for k in (0, 16, 36) for text in ("mean of 4 windows", str(k)))]
    assert (data["kept"], data["of_series"]) == (3, 10)

"""What comes next: the first section of the page, its numbers to download, and the series it opens on."""

from __future__ import annotations

import base64
import gzip
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pages
import pandas as pd
import pytest
from drawn import on_page

from foretide.report.content import Content, Future
from foretide.report.render.page import page
from foretide.report.run import future
from foretide.report.run.typical import typical_of
from foretide.report.section import Section
from foretide.report.sections import report_of


def section(content: Content) -> Section:
    made = future.future(content)
    assert made is not None
    return made


def data(content: Content) -> dict[str, Any]:
    explorer = section(content).explorer
    assert explorer is not None
    found: dict[str, Any] = explorer.data
    return found


def numbers(text: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(text))))


def test_it_comes_first_and_says_who_looks_ahead() -> None:
    content = pages.content()
    assert report_of(content).sections[0].id == "future"
    (said,) = section(content).sentences
    assert said == (
        "Net looks 3 days ahead, from the end of the table; it was fitted on what lies up to 2024-01-06. Shaded: where "
        "the truth should lie in 80 % and 95 % of all cases."
    )
    assert future.future(pages.content(future=None)) is None


def test_the_page_has_each_series_with_its_past_bounds_and_caption() -> None:
    found = data(pages.content())
    assert [s["name"] for s in found["series"]] == list(pages.SERIES)
    one = found["series"][1]
    past, ahead = ([found["times"][k] for k in found["grids"][one[which]]] for which in ("past", "ahead"))
    assert (past[0], past[-1], ahead) == ("2024-01-02", "2024-01-09", ["2024-01-10", "2024-01-11", "2024-01-12"])
    assert one["y"] == [10, 11, 12, 10, 11, 12, 10, 11]
    assert one["mean"] == [11, 12, 13]
    assert one["bounds"] == {"80": [[10, 11, 12], [12, 13, 14]], "95": [[9, 10, 11], [13, 14, 15]]}
    assert one["caption"] == (
        "b & c: Net expects 11 at 2024-01-10 (80 %: 10 to 12) and 13 at 2024-01-12 (80 %: 12 to 14). On average "
        "12 over 3 days, 11 over as many before."
    )


def test_the_numbers_to_download_are_those_of_the_table() -> None:
    content = pages.content()
    assert content.future is not None
    assert content.future.download is not None
    wanted = content.future.download
    found = numbers(data(content)["numbers"])
    assert (
        found.columns.tolist() == wanted.columns.tolist() == ["shop", "day", "Net", "lo-80", "hi-80", "lo-95", "hi-95"]
    )
    assert found["Net"].tolist() == wanted["Net"].tolist()
    assert found["day"].tolist() == wanted["day"].astype(str).tolist()
    assert "Download the numbers" in page(report_of(content))
    without = pages.content(future=replace(content.future, download=None))
    assert data(without)["numbers"] == ""
    assert "Download the numbers" not in page(report_of(without))


def test_numbers_that_are_too_many_for_a_page_are_named_by_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(future, "MOST_NUMBERS", 10)
    made = section(pages.content())
    assert made.explorer is not None
    assert made.explorer.data["numbers"] == ""
    assert "All numbers are in forecast.csv." in made.sentences[0]


def test_many_series_are_spread_evenly_and_the_typical_one_is_always_there() -> None:
    names = tuple(f"s{k:03d}" for k in range(200))
    content = pages.content(future=pages.future(names), by_series=None)
    assert content.future is not None
    few = future.future_data(content, content.future, budget=6000)
    kept = [s["name"] for s in few["series"]]
    assert 3 < len(kept) < 30
    assert kept == sorted(kept)
    assert kept[few["first"]] == "s100"  # the middle level
    gaps = np.diff([0, *(int(name[1:]) for name in kept), 200])
    assert gaps.max() <= 4 * 200 / len(kept)
    words = future._words(few, content, content.future)
    assert f"{len(kept)} of 200 series can be picked here" in words[0]
    assert few["total"] == 200


def test_a_forecast_without_intervals_says_so() -> None:
    whole = pages.future()
    plain = replace(whole, table=whole.table[["series", "time", "mean"]], levels=(), fitted_until="")
    made = section(pages.content(future=plain))
    assert made.sentences[0] == "Net looks 3 days ahead, from the end of the table. It says a mean only, no interval."
    assert [c.name for c in made.tables[0].columns] == ["series", "before", "ahead", "change", "next step"]


def test_the_table_has_a_line_for_each_series() -> None:
    (table,) = section(pages.content()).tables
    assert [list(row) for row in table.rows][1] == ["b & c", 11, 12, 12 / 11 - 1, 11, 10, 12]
    zero = replace(pages.future(), history=pages.future().history.assign(y=0.0))
    (table,) = section(pages.content(future=zero)).tables
    assert {row[3] for row in map(list, table.rows)} == {None}  # nothing grows from zero by a share


def test_series_that_end_at_different_times_look_ahead_from_their_own_ends() -> None:
    whole = pages.future()
    later = whole.table["time"] + pd.to_timedelta(whole.table["series"].eq("d").astype(int), "D")
    (said,) = section(pages.content(future=replace(whole, table=whole.table.assign(time=later)))).sentences
    assert "from the end of each series;" in said


def test_of_one_series_every_step_has_a_line() -> None:
    (table,) = section(pages.content(future=pages.future(("only",)))).tables
    assert [c.name for c in table.columns] == ["time", "mean", "80 % from", "80 % to", "95 % from", "95 % to"]
    assert [list(row)[1:] for row in table.rows] == [[k, k - 1, k + 1, k - 2, k + 2] for k in (1, 2, 3)]


@pytest.mark.parametrize("length", [0, 1])
def test_a_series_without_a_past_or_with_one_step_is_drawn(length: int) -> None:
    whole = pages.future(h=1)
    past = whole.history.groupby("series", sort=False).head(length)
    made = section(pages.content(future=replace(whole, history=past)))
    assert made.explorer is not None
    (picture,) = made.explorer.pictures
    assert len(on_page(picture).data) == 4
    assert {s["caption"].count(" at ") for s in made.explorer.data["series"]} == {1}


def test_the_picture_of_the_summary_opens_on_the_typical_series() -> None:
    table = pd.DataFrame({"unique_id": pages.SERIES, "Net": [3.0, 2.0, 1.0], "Naive": [1.0, 1.0, 1.0]})
    content = pages.content(by_series=table)
    assert typical_of(content, pages.SERIES) == "b & c"
    assert typical_of(content, ["d"]) == "d"
    assert typical_of(content, ["strange"]) is None
    made = section(content)
    assert made.explorer is not None
    (picture,) = made.explorer.pictures
    assert picture.choices[0].options[0] == "b & c"
    assert made.explorer.data["series"][made.explorer.data["first"]]["name"] == "b & c"


def test_of_counts_the_density_of_most_series_is_typical() -> None:
    sizes = pd.DataFrame({"model": "Net", "bucket": ["dense", "sparse"], "n_series": [1, 9]})
    content = pages.content(typical={"dense": "d", "sparse": "b & c"}, buckets=sizes)
    assert typical_of(content, pages.SERIES) == "b & c"
    assert typical_of(content, ["d"]) == "d"


def test_a_forecast_that_was_not_judged_is_a_page_of_its_own() -> None:
    facts = {k: v for k, v in pages.content().facts.items() if k not in ("folds", "windows", "series", "models")}
    ahead = Future("Auto", pages.future().table, pages.future().history, (80.0, 95.0))
    content = Content(
        "sales", {**facts, "kind": "forecast", "notes": ["The column day is the time."]},
        pd.DataFrame({"model": [], "kind": []}, dtype=object), ahead,
    )  # fmt: skip
    report = report_of(content)
    assert report.kind == "forecast"
    assert [s.id for s in report.sections] == ["future", "summary", "settings", "data"]
    assert report.sections[0].facts == ["The column day is the time."]
    assert not any("The column day" in fact for fact in report.sections[-1].facts)
    assert "Repeat it" not in page(report)

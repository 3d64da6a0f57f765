"""One picture, two renderers: page and file show the same numbers, names letter by letter, hidden lines in grey."""

from __future__ import annotations

import json

import numpy as np
import pages
import pandas as pd
import pytest
import search_pages
from drawn import in_file, on_page
from matplotlib.figure import Figure

from foretide.evaluation.cards.drawn import fold_picture
from foretide.pictures.matplotlib import draw
from foretide.pictures.picture import Axis, Band, Bars, Heat, Line, Mark, Panel, Picture, Points, Rule, Span
from foretide.pictures.plotly import chart
from foretide.report.content import Content
from foretide.report.run import calibration, errors
from foretide.report.sections import report_of

TRICKY = "_a $x$ <b>"
MARKS: dict[str, Mark] = {
    "line": Line(TRICKY, [1, 2, 3], [1.0, None, 3.0], "#D55E00", "dash", "circle", low=[0, 1, 2], high=[2, 3, 4]),
    "points": Points("points", [1, 2, 3], [3.0, 2.0, 1.0], symbol="diamond", texts=["a", "b", TRICKY], hover="{text}"),
    "bars": Bars("bars", [1, 2, 3], [1.0, 2.0, 3.0], hatch="/", low=[0, 1, 2], high=[2, 3, 4]),
    "band": Band("band", [1, 2, 3], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0], starts=[0, 2]),
    "heat": Heat([1, 2], [1, 2], np.array([[0.0, 1.0], [2.0, np.nan]]), 0, 2, title="weight"),
    "rule": Rule(1.5),
    "span": Span(1, 2),
}


def made_up(*names: str, x: Axis | None = None) -> Picture:
    return Picture.one(
        "made-up", "Made up", "What is seen.", [MARKS[name] for name in names], x or Axis("across"), Axis("up")
    )


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("name", MARKS)
def test_every_mark_is_drawn_by_both(name: str) -> None:
    picture = made_up(name)
    page, figure = on_page(picture), in_file(picture)
    assert json.dumps([page.data, page.layout], allow_nan=False)
    assert len(page.data) + len(page.layout.get("shapes", ())) == 1
    axes = figure.axes[0]
    assert axes.lines or axes.collections or axes.patches or axes.images
    assert (page.layout["xaxis"]["title"]["text"], axes.get_xlabel()) == ("across", "across")


def test_a_line_has_the_same_numbers_on_page_and_paper() -> None:
    picture = made_up("line", "points")
    (line, _), (axes,) = on_page(picture).data, in_file(picture).axes
    assert line["y"] == [1, None, 3]
    drawn = axes.lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, [1, np.nan, 3])
    assert (line["line"]["color"], axes.lines[0].get_color()) == ("#D55E00", "#D55E00")
    assert line["error_y"]["array"] == [1, None, 1]


def test_names_are_drawn_letter_by_letter() -> None:
    picture = made_up("line", "points")
    assert on_page(picture).data[0]["name"] == "_a $x$ &lt;b&gt;"
    assert on_page(picture).data[1]["text"][2] == "_a $x$ &lt;b&gt;"
    assert legend(in_file(picture)) == [r" _a \$x\$ <b>", "points"]
    in_file(picture).canvas.draw()  # no formula


def test_times_are_dates_on_both() -> None:
    line = Line("a", ["2024-01-01", "2024-02-01"], [1, 2])
    picture = Picture.one("t", "T", "", [line, Rule("2024-01-15", upright=True)], Axis("time", "time"), Axis("y"))
    assert on_page(picture).data[0]["x"] == ["2024-01-01", "2024-02-01"]
    assert on_page(picture).layout["xaxis"]["type"] == "date"
    (axes,) = in_file(picture).axes
    assert pd.Timestamp(axes.lines[0].get_xdata()[1]) == pd.Timestamp("2024-02-01")


def test_what_waits_in_the_legend_is_grey_on_paper_and_does_not_flatten_the_others() -> None:
    lines = [Line("good", [1, 2], [1, 2]), Line("bad", [1, 2], [900, 950], "#D55E00", hidden=True)]
    picture = Picture.one("h", "H", "", lines, Axis("x"), Axis("y"))
    assert [trace.get("visible") for trace in on_page(picture).data] == [None, "legendonly"]
    (axes,) = in_file(picture).axes
    assert axes.get_ylim()[1] < 3
    assert [line.get_color() for line in axes.lines] == ["#0072B2", "#8a8a8a"]


def test_axes_end_where_the_picture_says() -> None:
    panel = Panel([MARKS["bars"]], Axis("x", low=0, high=4, reverse=True), Axis("y", from_zero=True, percent=True))
    page, (axes,) = chart(Picture("p", "P", {(): _view(panel)}).first), draw([panel]).axes
    assert page["layout"]["xaxis"]["range"] == [4, 0]
    assert axes.get_xlim() == (4, 0)
    assert page["layout"]["yaxis"]["rangemode"] == "tozero"
    assert axes.get_ylim()[0] == 0


def _view(*panels: Panel) -> object:
    from foretide.pictures.picture import View

    return View(panels, "")


def test_panels_stand_below_one_another_on_the_page() -> None:
    panel = Panel([MARKS["line"], MARKS["rule"]], Axis("x"), Axis("y"), "one")
    found = chart(_view(panel, panel))  # type: ignore[arg-type]
    assert [trace.get("yaxis") for trace in found["data"]] == [None, "y2"]
    assert found["layout"]["yaxis"]["domain"][0] > found["layout"]["yaxis2"]["domain"][1]
    assert [shape["yref"] for shape in found["layout"]["shapes"]] == ["y", "y2"]
    assert len(draw([panel, panel]).axes) == 2


@pytest.mark.parametrize("make", [pages.content, search_pages.content])
def test_every_view_of_every_page_is_drawn_by_both(make: object) -> None:
    pictures = report_of(make()).pictures  # type: ignore[operator]
    for picture in pictures:
        for view in list(picture.views.values())[:3]:
            assert view.caption
            json.dumps(chart(view), allow_nan=False)
            figure = draw(view.panels, picture.title)
            assert len(figure.axes) >= len(view.panels)


# ------------------------------------------------------------------ pictures that only some folders have
def content(**changes: object) -> Content:
    return pages.content(**changes)


def test_the_integral_transform_is_a_ratio_that_ends_at_four() -> None:
    table = pd.DataFrame({
        "model": "Net", "low": [0.0, 0.1, 0.5], "high": [0.1, 0.5, 1.0], "observed": [0.5, 0.4, 0.1],
        "nominal": [0.1, 0.4, 0.5],
    })  # fmt: skip
    found = on_page(calibration.pit_picture(content(pit=table)))
    assert found.data[0]["x"] == [0, 0.1, 0.5, 1]
    assert found.data[0]["y"] == [4, 1, 0.2, 0.2]
    assert found.data[0]["line"]["shape"] == "hv"
    assert "Net: from 0.20 to 5.00." in found.caption


def test_skill_is_sorted_clipped_and_counted() -> None:
    names = [f"series {k}" for k in range(24)]
    skill = pd.DataFrame({"unique_id": names, "Net": [0.5, -3.0, 0.1, np.nan] * 6, "Naive": 0.0})
    found = on_page(errors.skill_picture(content(skill=skill)))
    assert [line["name"] for line in found.data] == ["Net"]
    assert found.data[0]["y"] == [-1] * 6 + [0.1] * 6 + [0.5] * 6
    assert found.data[0]["x"][:2] == pytest.approx([100 / 36, 300 / 36], rel=1e-3)
    assert "Net is above 0 on 67%. 6 values beyond 1 or -1 stand at the edge. 6 without a skill" in found.caption
    assert found.layout["yaxis"]["range"] == pytest.approx([-1.05, 0.55])
    assert errors.skill_picture(content(skill=skill[:20])) is None  # few series stand by their names elsewhere


def test_folds_where_the_baseline_is_better_are_shaded_and_the_worst_is_marked() -> None:
    folds = pd.DataFrame({
        "cutoff": ["2024-01-01", "2024-01-02", "2024-01-03"], "Net": [1.0, 4.0, 1.0], "Naive": 2.0, "Mean": 5.0,
    })  # fmt: skip
    found = on_page(fold_picture(content(), folds))
    (shape,) = found.layout["shapes"]
    assert (shape["x0"], shape["x1"]) == ("2024-01-02", "2024-01-03")
    ring = found.data[-1]
    assert (ring["x"], ring["y"], ring["marker"]["symbol"]) == (["2024-01-02"], [4], "circle-open")
    assert "Naive is better in 1 of 3 folds (shaded)." in found.caption
    assert fold_picture(content(), folds[:1]) is None


def test_integer_times_stay_numbers() -> None:
    folds = pd.DataFrame({"cutoff": [100, 200], "Net": [1.0, 2.0], "Naive": 3.0, "Mean": 5.0})
    found = on_page(fold_picture(content(), folds))
    assert found.data[0]["x"] == [100, 200]
    assert "type" not in found.layout["xaxis"]


def test_counts_show_an_interval_for_each_density() -> None:
    facts = {**pages.content().facts, "counts": True}
    report = report_of(content(facts=facts, typical={"dense": "d", "sparse": "b & c"}, leaderboard=_counts()))
    made = {picture.id: picture for picture in report.pictures}
    picture = made["intervals"]
    assert [panel.title for panel in picture.first.panels] == ["d (dense)", "b & c (sparse)"]
    assert "dense d 100%; sparse b & c 100%" in picture.first.caption
    assert len(in_file(picture).axes) == 2
    assert made["forecasts"].options_at(next(iter(made["forecasts"].views))) == ["d"]


def _counts() -> pd.DataFrame:
    return pages.content().leaderboard.assign(mse=[1.0, 2.0, 5.0])

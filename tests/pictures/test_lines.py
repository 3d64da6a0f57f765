"""Marks of series and forecasts: gaps, values without neighbours, intervals, forecasts in a row."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.pictures.lines import FEW_POINTS, MOST_GAPS, forecast_marks, observed_marks
from foretide.pictures.matplotlib import draw
from foretide.pictures.picture import FEW_STEPS, Axis, Band, Bars, Line, Panel, Points, Span, View
from foretide.pictures.plotly import chart
from foretide.pictures.times import time_labels
from pictures import neat


def test_gaps_reach_from_the_last_value_to_the_next_and_a_lonely_value_is_a_point() -> None:
    n = FEW_POINTS + 20
    y = np.arange(float(n))
    y[[0, 10, 11, 13, n - 1]] = np.nan
    *spans, line, point = observed_marks(list(range(n)), y)
    assert [(span.low, span.high) for span in spans if isinstance(span, Span)] == [(9, 12), (12, 14)]
    assert isinstance(line, Line)
    assert line.symbol == ""
    assert isinstance(point, Points)
    assert (point.x, list(point.y), point.legend) == ([12], [12.0], False)


def test_few_values_have_marks_and_very_many_gaps_no_shade() -> None:
    assert [mark.symbol for mark in observed_marks([1, 2, 3], [1.0, 2.0, 3.0])] == ["circle"]
    n = 2 * MOST_GAPS + 4
    y = np.where(np.arange(n) % 2 == 0, 1.0, np.nan)
    assert not any(isinstance(mark, Span) for mark in observed_marks(list(range(n)), y))
    assert not any(isinstance(mark, Span) for mark in observed_marks([1, 2], [np.nan, np.nan]))


def test_forecasts_in_a_row_are_apart_and_the_widest_interval_is_behind() -> None:
    bounds = {80.0: (np.zeros(4), np.ones(4)), 95.0: (-np.ones(4), 2 * np.ones(4))}
    wide, narrow, line = forecast_marks([1, 2, 3, 4], [5, 6, 7, 8], bounds, name="Net", starts=[0, 2], label=" of Net")
    assert isinstance(wide, Band)
    assert isinstance(narrow, Band)
    assert isinstance(line, Line)
    assert (wide.name, narrow.name) == ("95 % interval of Net", "80 % interval of Net")
    assert wide.opacity < narrow.opacity
    assert list(wide.starts) == [0, 2]
    assert list(line.x) == [1, 2, 3, 3, 4]
    np.testing.assert_array_equal(line.y, [5, 6, np.nan, 7, 8])
    assert line.symbol == "circle"
    many = FEW_STEPS + 1
    assert forecast_marks(list(range(many)), np.zeros(many), {}, name="Net")[-1].symbol == ""


def test_intervals_of_single_steps_have_a_width_on_page_and_paper() -> None:
    marks = forecast_marks([1, 2], [1.0, 2.0], {80: ([0, 1], [2, 3])}, name="Net", starts=[0, 1])
    view = View.of(marks, Axis("x"), Axis("y"))
    assert chart(view)["data"][0]["line"]["width"] > 0
    (axes,) = draw(view.panels).axes
    assert all(band.get_linewidth()[0] > 0 for band in axes.collections)


# ---------------------------------------------------------------- axes of few things
@pytest.mark.parametrize(("n", "share"), [(1, 0.4), (2, 0.4), (3, 0.6), (4, 0.8), (9, 0.8)])
def test_few_bars_do_not_fill_a_picture(n: int, share: float) -> None:
    panel = Panel([Bars("b", list(range(n)), [1.0] * n, across=True)], Axis("x"), Axis.names("name", "abcdefghi"[:n]))
    figure = draw([panel])
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx([share] * n)
    assert chart(View([panel], ""))["data"][0].get("width", 0.8) == pytest.approx(share)
    if n < 4:
        assert figure.get_figheight() < 3.6
    neat(figure)


def test_few_times_have_a_tick_each() -> None:
    x = ["2023-12-01", "2024-01-01", "2024-02-01"]
    view = View.of([Line("a", x, [1, 2, 3])], Axis("time", "time"), Axis("y"))
    figure = draw(view.panels)
    figure.canvas.draw()
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["Dec\n2023", "Jan\n2024", "Feb"]
    assert chart(view)["layout"]["xaxis"]["tickvals"] == x
    neat(figure)


def test_times_that_crowd_are_left_to_matplotlib() -> None:
    x = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-06-01", "2024-12-01"]
    figure = draw([Panel([Line("a", x, [1, 2, 3, 4, 5])], Axis("time", "time"), Axis("y"))])
    neat(figure)


@pytest.mark.parametrize(
    ("times", "labels"),
    [
        (["2024-01-30", "2024-01-31", "2024-02-01"], ["30 Jan\n2024", "31 Jan", "01 Feb"]),
        (["2024-01-30 00:00:00", "2024-01-30 06:00:00"], ["00:00\n30 Jan 2024", "06:00"]),
        (["2023-01-01", "2024-01-01"], ["Jan\n2023", "Jan\n2024"]),
    ],
)
def test_labels_of_times_say_the_day_or_the_year_where_it_changes(times: list[str], labels: list[str]) -> None:
    assert time_labels(times) == labels


@pytest.mark.parametrize(("places", "step"), [([1, 2], 1), ([1, 4, 8], 1), ([0, 100], 8)])
def test_whole_places_have_whole_ticks_on_the_page(places: list[int], step: int) -> None:
    view = View.of([Line("a", places, [1.0] * len(places))], Axis("number"), Axis("y"))
    assert chart(view)["layout"]["xaxis"]["dtick"] == step
    half = View.of([Line("a", [0.5, *places], [1.0] * (len(places) + 1))], Axis("number"), Axis("y"))
    assert "dtick" not in chart(half)["layout"]["xaxis"]


def test_many_lines_are_told_apart() -> None:
    lines = [Line.nth(k, str(k), [0], [0]) for k in range(60)]
    assert len({(line.colour, line.dash) for line in lines}) == 60
    assert len({(line.colour, line.symbol) for line in lines}) == 60

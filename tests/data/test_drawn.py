"""Panel.plot: what is drawn are the observed targets, gaps and counts as what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.data.drawn import panel_picture
from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError
from foretide.pictures.picture import Line, Span
from pictures import neat


def test_lines_are_the_observed_values_without_rows_of_the_future() -> None:
    panel = make_panel((60, 50), targets=2, future=1, ahead=5)
    figure = panel.plot()
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(panel.series)
    for k, axes in enumerate(figure.axes):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), panel.rows(k // 2)[:-5, k % 2])
    assert figure.axes[2].get_xlabel() == "time, days"
    neat(figure)


def test_last_and_series_choose() -> None:
    panel = make_panel((60, 50))
    (axes,) = panel.plot("shop1", last=7).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), panel.rows(1)[-7:, 0])
    assert pd.Timestamp(axes.lines[0].get_xdata()[-1]) == panel.grid.times([49])[0]
    assert len(panel.plot(last=500).axes[0].lines[0].get_ydata()) == 60
    with pytest.raises(DataError, match="no series 'shop9'"):
        panel.plot("shop9")
    with pytest.raises(ConfigError, match="last is a number of steps, at least 1, got 0"):
        panel.plot(last=0)


def test_of_many_series_six_are_shown_and_it_says_so() -> None:
    figure = make_panel((40,) * 20).plot()
    assert len(figure.axes) == 6
    assert figure._suptitle.get_text() == "6 of 20 series, the most typical first"
    neat(figure)
    assert make_panel((40,) * 20).plot(["shop3", "shop4"])._suptitle is None


def test_gaps_are_grey() -> None:
    panel = make_panel((60,))
    panel.values[20:25] = np.nan
    span, line = panel_picture(panel).first.panels[0].marks
    assert isinstance(span, Span)
    assert isinstance(line, Line)
    assert (span.low, span.high) == (str(panel.grid.times([19])[0].date()), str(panel.grid.times([25])[0].date()))


def test_counts_stand_on_whole_numbers_from_zero_and_others_do_not() -> None:
    panel = make_panel((40,), targets=2)
    panel.values[:] = [3, 0]
    few, zero = (view.panels[0].y for view in panel_picture(panel).views.values())
    assert (few.from_zero, few.step) == (True, 1)
    assert (zero.low, zero.high) == (-0.05, 1.05)
    for highest, step in ((8, 1), (9, 2), (17, 5), (140, 20), (161, 50), (1e6, 200_000)):
        panel.values[0, 0] = highest
        assert next(iter(panel_picture(panel).views.values())).panels[0].y.step == step
    assert not panel_picture(make_panel((40,))).first.panels[0].y.from_zero


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_very_short_series_are_drawn(rows: int) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=rows, freq="MS"), "y": np.arange(rows) + 0.5})
    figure = Panel.from_frame(frame, id=None, freq="MS").plot()
    assert figure.axes[0].lines[0].get_marker() == "o"
    neat(figure)


def test_a_panel_from_polars_with_long_names_and_a_zone() -> None:
    polars = pytest.importorskip("polars")
    name = "A very long name of a shop in the north-western region, number 007 & <b>"
    hours = pd.date_range("2024-03-30", periods=72, freq="h", tz="Europe/Berlin")
    frame = polars.from_pandas(pd.DataFrame({"unique_id": name, "ds": hours, "y": np.arange(72) / 7}))
    panel = Panel.from_frame(frame)
    figure = panel.plot()
    assert name in figure.axes[0].get_title(loc="left").replace("\n", " ")
    assert pd.Timestamp(figure.axes[0].lines[0].get_xdata()[0]) == pd.Timestamp("2024-03-30 00:00")  # the wall's clock
    neat(figure)


def test_the_list_of_plotly_holds_thirty_series() -> None:
    pytest.importorskip("plotly")
    figure = make_panel((30,) * 40).plot(interactive=True)
    assert len(figure.layout.updatemenus[0].buttons) == len(figure.data) == 30


def test_all_synthetic_panels_are_drawn() -> None:
    for panel in (ft.synthetic.hourly(T=200).panel, ft.synthetic.supplies(T=90, n_sites=2, n_targets=2).panel):
        neat(panel.plot())

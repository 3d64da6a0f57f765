"""Forecast.plot: history, intervals, forecast and truth of each series, at their own times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.forecasters.drawn import forecast_picture
from foretide.pictures.picture import Band, Line, Rule
from pictures import neat


def model(h: int = 7) -> ft.WithIntervals:
    return ft.WithIntervals(ft.SeasonalNaive(h, 7), alias="Naive")


def marks_of(forecast: ft.Forecast, name: str | None = None, **options: object) -> dict[str, object]:
    """Lines and bands of one series by their names, and its cutoffs."""
    picture = forecast_picture([forecast], name, **options)
    marks = picture.first.panels[0].marks
    found: dict[str, object] = {m.name: m for m in marks if isinstance(m, Line | Band)}
    return {**found, "cutoffs": [m.at for m in marks if isinstance(m, Rule)]}


def dates(panel: ft.Panel, steps: list[int]) -> list[str]:
    return [str(t.date()) for t in panel.grid.times(steps)]


def test_history_forecast_and_intervals_lie_at_their_times() -> None:
    panel = make_panel((60, 50), first=(0, 4))
    forecast = model().fit(panel).predict(panel)
    found = marks_of(forecast, "shop1")
    assert found["cutoffs"] == dates(panel, [53])
    line, band, seen = found["Naive"], found["95 % interval"], found["observed"]
    assert isinstance(line, Line)
    assert isinstance(band, Band)
    assert isinstance(seen, Line)
    assert list(line.x) == list(band.x) == dates(panel, list(range(54, 61)))
    np.testing.assert_array_equal(line.y, forecast.mean[1, :, 0])
    np.testing.assert_array_equal(band.low, forecast.quantile(0.025)[1, :, 0])
    np.testing.assert_array_equal(band.high, forecast.quantile(0.975)[1, :, 0])
    assert list(seen.x) == dates(panel, list(range(24, 61)))  # thirty steps, and the horizon
    np.testing.assert_array_equal(seen.y, [*panel.rows(1)[-30:, 0], *[np.nan] * 7])
    assert {"95 % interval", "80 % interval", "Naive", "observed"} < set(found)


def test_truth_is_read_from_a_table_that_holds_only_what_came_later() -> None:
    panel = make_panel((60, 60))
    until = times(panel, [49])[0]
    forecast = model().fit(panel.until(until)).predict(panel.until(until))
    later = panel.since(times(panel, [52])[0])
    frame = later.to_frame()
    for held in (later, frame):
        seen = marks_of(forecast, "shop1", panel=held)["observed"]
        assert isinstance(seen, Line)
        np.testing.assert_array_equal(seen.y[-7:], [np.nan, np.nan, *panel.rows(1)[52:57, 0]])
        np.testing.assert_array_equal(seen.y[:-7], panel.rows(1)[20:50, 0])
        np.testing.assert_array_equal(forecast.truth(held)[1, :, 0], seen.y[-7:])
    np.testing.assert_array_equal(forecast.truth(panel)[1, :, 0], panel.rows(1)[50:57, 0])


def test_of_several_cutoffs_the_last_ones_that_do_not_overlap_are_drawn() -> None:
    panel = make_panel((120,))
    cutoffs = list(range(70, 113, 2))
    forecast = model().fit(panel, until=times(panel, [60])[0]).predict(panel, times(panel, cutoffs))
    found = marks_of(forecast)
    kept = [96, 104, 112]
    assert found["cutoffs"] == dates(panel, kept)
    line = found["Naive"]
    assert isinstance(line, Line)
    np.testing.assert_array_equal(np.isnan(line.y), [k in (7, 15) for k in range(23)])  # a break before each
    drawn = np.asarray(line.y)[~np.isnan(line.y)].reshape(3, 7)
    np.testing.assert_array_equal(drawn, forecast.mean[[cutoffs.index(k) for k in kept], :, 0])
    assert len(marks_of(forecast, last=14)["cutoffs"]) == 1


def test_single_steps_in_a_row_have_one_line_at_the_first_cutoff() -> None:
    panel = make_panel((120,))
    forecast = model(1).fit(panel, until=times(panel, [60])[0]).predict(panel, times(panel, list(range(70, 119))))
    found = marks_of(forecast)
    assert found["cutoffs"] == dates(panel, [104])
    line = found["Naive"]
    assert isinstance(line, Line)
    assert np.isfinite(line.y).sum() == 15
    neat(forecast.plot())


def test_a_model_without_quantiles_has_a_line_only() -> None:
    panel = make_panel((60,))
    forecast = ft.Drift(7).fit(panel).predict(panel, levels=())
    assert set(marks_of(forecast)) == {"Drift", "observed", "cutoffs"}


def test_what_has_no_forecast_is_named() -> None:
    panel = make_panel((60, 60))
    forecast = model().fit(panel).predict(panel).take(np.array([1]))
    assert [axes.get_title(loc="left") for axes in forecast.plot().axes] == ["shop1"]
    with pytest.raises(DataError, match="no forecast of the series 'shop0', only of others"):
        forecast.plot("shop0")
    with pytest.raises(DataError, match="no series 'shop5'"):
        forecast.plot("shop5")
    with pytest.raises(ConfigError, match="last is a number of steps"):
        forecast.plot(last=0)


def test_three_rows_months_and_many_series_are_neat() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3, freq="MS"), "y": [1.5, 2.5, 2.0]})
    short = ft.Panel.from_frame(frame, id=None, freq="MS")
    neat(ft.Drift(2).fit(short).predict(short).plot())
    many = make_panel((60,) * 9, targets=2)
    figure = model().fit(many).predict(many).plot()
    assert len(figure.axes) == 6
    neat(figure)


def test_plotly_has_the_same_numbers() -> None:
    pytest.importorskip("plotly")
    panel = make_panel((60, 60))
    forecast = model().fit(panel).predict(panel)
    figure = forecast.plot(interactive=True)
    line = next(trace for trace in figure.data if trace.name == "Naive")
    np.testing.assert_allclose(np.array(line.y, dtype=float), forecast.mean[0, :, 0], rtol=1e-4)
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["shop0", "shop1"]

"""Pictures: what is drawn is the data, every axis says what it is, nothing leaves the canvas."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import foretide as ft
from foretide.data.windows import slide
from foretide.forecasters.forecast import Forecast
from foretide.report.figures import Stretch, attention_figure, forecast_figure, stretch, write_png

H = 6


@pytest.fixture(scope="module")
def forecasts() -> list[Forecast]:
    panel = ft.synthetic.hourly(T=400, seed=0).panel
    windows = slide(panel, input_size=48, h=H, first_target=300)
    cutoffs = list(panel.grid.output_times(windows.steps(panel)))
    until = panel.grid.output_times([299])[0]
    return [
        model.fit(panel, until=until).predict(panel, cutoffs=cutoffs)
        for model in (ft.SeasonalNaive(H, season=24), ft.Persistence(H))
    ]


def errors(forecasts: list[Forecast]) -> dict[str, np.ndarray]:
    return {f.model: np.sqrt(((f.mean - f.truth()) ** 2).mean(axis=(0, 2))) for f in forecasts}


def inside(figure: Figure) -> None:
    """Every text and legend lies on the canvas, and texts of neighbouring axes do not overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = figure.bbox.size
    titles = []
    for axes in figure.axes:
        texts = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        boxes = [t.get_window_extent(renderer) for t in texts if t.get_text()]
        if axes.get_legend() is not None:
            boxes.append(axes.get_legend().get_window_extent(renderer))
        for box in boxes:
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= width + 1
            assert box.y1 <= height + 1
        titles += boxes
    for i, one in enumerate(titles):
        assert not any(one.overlaps(other) for other in titles[i + 1 :])


def test_a_stretch_is_truth_beside_forecasts_that_do_not_overlap(forecasts: list[Forecast]) -> None:
    piece = stretch(forecasts, steps=24)
    panel = forecasts[0].panel
    assert len(piece.times) == 24
    assert piece.times[-1] == panel.grid.times([399])[0]
    np.testing.assert_array_equal(piece.truth, panel.values[376:400, 0])
    np.testing.assert_array_equal(piece.forecasts["SeasonalNaive"].reshape(-1), panel.values[352:376, 0])
    np.testing.assert_array_equal(piece.forecasts["Persistence"][:, 0], panel.values[[375, 381, 387, 393], 0])


def test_the_forecast_picture(forecasts: list[Forecast], tmp_path: Path) -> None:
    by_step, loaded = errors(forecasts), set(sys.modules)
    figure = forecast_figure(stretch(forecasts), by_step, freq="h", floor=np.full(H, 0.1))
    top, bottom = figure.axes
    assert "time" in top.get_xlabel()
    assert "hours after the cutoff" in bottom.get_xlabel()
    assert "RMSE" in bottom.get_ylabel()
    drawn = {line.get_label(): line.get_ydata() for line in bottom.get_lines()}
    np.testing.assert_array_equal(drawn["SeasonalNaive"], by_step["SeasonalNaive"])
    assert "oracle: the best possible" in drawn
    write_png(figure, tmp_path / "f.png")
    inside(figure)
    write_png(forecast_figure(stretch(forecasts), by_step, freq="h", floor=np.full(H, 0.1)), tmp_path / "g.png")
    assert (tmp_path / "f.png").read_bytes() == (tmp_path / "g.png").read_bytes()
    assert "matplotlib.pyplot" not in set(sys.modules) - loaded  # others, captum for one, load it for themselves


def test_a_very_bad_model_does_not_flatten_the_others(forecasts: list[Forecast]) -> None:
    by_step = {**errors(forecasts), "Other": np.full(H, 0.5), "Terrible": np.full(H, 1e6)}
    figure = forecast_figure(stretch(forecasts), by_step, freq="h")
    bottom = figure.axes[1]
    assert bottom.get_ylim()[1] < 100
    assert any("Terrible (leaves the picture)" in t.get_text() for t in bottom.get_legend().get_texts())
    inside(figure)


@pytest.mark.parametrize("heads", [1, 4, 6])
def test_the_attention_picture(heads: int) -> None:
    lookback = 60
    weights = np.full((5, heads, H, lookback), 0.01)
    weights[:, 0, 2, lookback - 1 - 24] = 1.0  # head 1, horizon step 3, lag 24
    weights /= weights.sum(-1, keepdims=True)
    figure = attention_figure(weights, model="Attention", freq="h", windows="all")
    upper, first = figure.axes[0], next(a for a in figure.axes if "head 1" in a._left_title.get_text())  # type: ignore[attr-defined]
    assert "lag" in upper.get_xlabel()
    assert "hours" in upper.get_xlabel()
    assert "horizon step" in upper.get_ylabel()
    image = first.get_images()[0]
    left, right, low, high = image.get_extent()
    assert left > right  # old lags on the left, lag 0 on the right
    row, column = np.unravel_index(np.argmax(image.get_array()), (H, lookback))
    lag = left + (column + 0.5) * (right - left) / lookback
    step = low + (row + 0.5) * (high - low) / H
    assert lag == pytest.approx(24)
    assert step == pytest.approx(3)
    assert (
        sum("head" in a._left_title.get_text() and "mean" not in a._left_title.get_text() for a in figure.axes) == heads
    )  # type: ignore[attr-defined]
    inside(figure)


def test_integer_time_and_single_steps_can_be_drawn() -> None:
    piece = Stretch("y", np.arange(5), np.arange(5.0), {"A": np.arange(5.0)[:, None]}, 1)
    figure = forecast_figure(piece, {"A": np.array([1.0])}, freq=1)
    assert "steps" in figure.axes[1].get_xlabel()
    inside(figure)

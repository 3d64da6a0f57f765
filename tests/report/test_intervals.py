"""The picture of intervals: what is drawn is the forecast, and the words are its figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import stats

import foretide as ft
from foretide.data.windows import slide
from foretide.forecasters.forecast import Forecast
from foretide.report.figures import in_a_row, write_png
from foretide.report.intervals import bands, interval_figure, interval_words, typical_series

H = 5
LEVELS = (0.025, 0.1, 0.9, 0.975)


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    panel = ft.synthetic.supplies(T=120, n_targets=4, n_covariates=1, seed=0).panel
    windows = slide(panel, input_size=7, h=H, first_target=80)
    cutoffs = list(panel.grid.output_times(windows.steps(panel)))
    made = ft.SeasonalMean(H, season=7).fit(panel).predict(panel, cutoffs=cutoffs)
    distribution = stats.poisson.ppf(np.array(LEVELS), made.mean[..., None] + 0.1)
    return replace(made, levels=(80.0, 95.0), quantile_levels=LEVELS, quantiles=distribution)


def test_bands_are_the_newest_forecasts_in_a_row(forecast: Forecast) -> None:
    piece = bands(forecast, kind="dense", entity=0, target=1, steps=20)
    chosen = in_a_row(forecast, 0, 20)
    assert len(chosen) == 4
    assert np.diff(forecast.windows.cutoff[chosen]).tolist() == [H] * 3
    np.testing.assert_array_equal(piece.truth, forecast.panel.values[100:120, 1])
    np.testing.assert_array_equal(piece.mean, forecast.mean[chosen, :, 1].reshape(-1))
    low, high = piece.bounds[80.0]
    np.testing.assert_array_equal(low, forecast.quantile(0.1)[chosen, :, 1].reshape(-1))
    np.testing.assert_array_equal(high, forecast.quantile(0.9)[chosen, :, 1].reshape(-1))
    assert piece.inside(80.0) == np.mean((low <= piece.truth) & (piece.truth <= high))
    assert np.isnan(replace(piece, truth=piece.truth * np.nan).inside(80.0))


def test_the_picture(forecast: Forecast, tmp_path: Path) -> None:
    kinds = {"dense": 1, "sparse": 0, "ultra": 3}
    pieces = [bands(forecast, kind=kind, entity=0, target=d, steps=20) for kind, d in kinds.items()]
    figure = interval_figure(pieces, model="Mine", freq="D")
    assert len(figure.axes) == 3
    for axes, piece in zip(figure.axes, pieces, strict=True):
        assert piece.series in axes.get_title(loc="left")
        drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
        np.testing.assert_array_equal(drawn["truth"], piece.truth)
        np.testing.assert_array_equal(drawn["mean"], piece.mean)
        assert axes.get_ylim()[1] >= 1
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["95 % interval", "80 % interval", "mean", "truth"]
    assert "ultra-sparse" in figure.axes[2].get_title(loc="left")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.bbox.size
    for axes in figure.axes:
        box = axes.get_tightbbox(canvas.get_renderer())
        assert box is not None
        assert box.x0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
    write_png(interval_figure(pieces, model="Mine", freq="D"), tmp_path / "a.png")
    write_png(interval_figure(pieces, model="Mine", freq="D"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_words(forecast: Forecast) -> None:
    pieces = [bands(forecast, kind="ultra", entity=0, target=1, steps=20)]
    text = interval_words(pieces, 80.0, {"ultra": 0.973})
    share = f"{pieces[0].inside(80.0):.0%}"
    assert text.startswith(f"Truths inside the 80 % interval: ultra-sparse item02 {share} (all of that kind: 97%).")
    assert "all of that kind" not in interval_words(pieces, 80.0, {})


def test_the_series_of_a_kind_is_one_that_sold_of_middle_rate() -> None:
    rates = np.array([[0.9, 0.8, 0.75, 0.1], [0.72, 0.99, 0.0, 0.001]])
    kinds = np.array([["dense", "dense", "dense", "sparse"], ["dense", "dense", "ultra", "ultra"]])
    sold = np.array([[1.0, 1, 0, 0], [1, 1, 0, 1]])
    found = typical_series(rates, kinds, [0, 1], sold)
    assert found == {"dense": (0, 0), "sparse": (0, 3), "ultra": (1, 3)}
    assert typical_series(rates, kinds, [0], sold) == {"dense": (0, 0), "sparse": (0, 3)}

"""Study.plot: the error of each trial, the least so far, the best baseline."""

from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel

import foretide as ft
from foretide.tuning.result import Study
from pictures import labelled, neat


@pytest.fixture(scope="module")
def study() -> Study:
    return ft.tune(ft.SeasonalES, make_panel((80,)), h=3, n_trials=5, storage="memory")


def test_trials_and_the_least_so_far(study: Study) -> None:
    figure = study.plot()
    (axes,) = figure.axes
    history = study.history()
    points = axes.collections[0].get_offsets()
    np.testing.assert_allclose(points, history[["number", "value"]])
    best = {line.get_label(): line for line in axes.lines}["best so far"]
    np.testing.assert_allclose(best.get_ydata()[: len(history)], history["best"])
    assert axes.get_ylabel().startswith("RMSE")
    neat(figure)
    labelled(figure)


def test_plotly_has_the_settings_under_the_pointer(study: Study) -> None:
    pytest.importorskip("plotly")
    figure = study.plot(interactive=True)
    points = next(trace for trace in figure.data if trace.name == "SeasonalES")
    assert "trial 0, SeasonalES" in points.text[0]

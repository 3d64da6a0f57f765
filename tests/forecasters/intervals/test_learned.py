"""Intervals of past errors go to the targets that a model has no distribution of, and to no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.forecasters.base import Prediction
from foretide.forecasters.intervals.learned import Intervals

QUANTILES = (0.1, 0.9)


@pytest.mark.parametrize("points", [[False, True], [True, False], [True, True], [False, False]])
def test_only_targets_without_a_distribution_get_intervals_of_past_errors(
    points: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = make_panel((80,), targets=2)
    model: Any = ft.SeasonalNaive(3, 7).fit(panel)
    windows = model.predict(panel, cutoffs=list(times(panel, [60, 70]))).windows
    mean = np.full((2, 3, 2), 20.0)
    own = np.stack([mean - 1, mean + 1], axis=-1)
    learned = model._fitted.intervals
    made = learned.added(Prediction(mean), model, panel, windows, QUANTILES).quantiles
    assert made is not None
    assert (np.abs(made - own) > 0.1).all()
    monkeypatch.setattr(ft.SeasonalNaive, "_points", lambda *_: np.array(points))
    found = learned.added(Prediction(mean, own), model, panel, windows, QUANTILES).quantiles
    assert found is not None
    for d, point in enumerate(points):
        np.testing.assert_array_equal(found[:, :, d], (made if point else own)[:, :, d])


def test_without_past_errors_there_are_no_numbers_and_without_a_question_no_quantiles() -> None:
    panel = make_panel((80,))
    model: Any = ft.SeasonalNaive(3, 7).fit(panel)
    windows = model.predict(panel).windows
    got = Prediction(np.zeros((1, 3, 1)))
    assert Intervals().added(got, model, panel, windows, ()) is got
    found = Intervals().added(got, model, panel, windows, QUANTILES).quantiles
    assert found is not None
    assert found.shape == (1, 3, 1, 2)
    assert np.isnan(found).all()

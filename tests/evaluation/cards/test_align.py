"""The oracle of a synthetic series stands beside the models, with the quantiles that its truth knows."""

from __future__ import annotations

import numpy as np
import pytest

import foretide as ft
from foretide.evaluation.cards.align import ORACLE, oracle_forecast

LEVELS, QUANTILES = (80.0,), (0.25,)


@pytest.mark.parametrize("sites", [1, 2])
def test_the_oracle_has_the_quantiles_of_its_truth_for_every_window(sites: int) -> None:
    made = ft.synthetic.supplies(T=150, n_targets=2, n_covariates=2, n_sites=sites, seed=3)
    panel = made.panel
    model = ft.Drift(h=3).fit(panel)
    times = panel.grid.output_times([100, 140])
    windows = model.predict(panel, cutoffs=list(times)).windows
    found = oracle_forecast(made.truth, panel, windows, 3, LEVELS, QUANTILES)
    assert found is not None
    assert (found.model, found.levels) == (ORACLE, LEVELS)
    steps = windows.steps(panel)
    for k, (step, entity) in enumerate(zip(steps, windows.entity, strict=True)):
        site = {"site": panel.ids[int(entity)]} if hasattr(made.truth, "sites") else {}
        np.testing.assert_allclose(found.mean[k], made.truth.oracle([step], 3, **site)[0])
        for q in (0.1, 0.25, 0.9):
            own = made.truth.oracle_quantiles([step], 3, (q,), **site)[0]
            np.testing.assert_allclose(found.quantile(q)[k], own[..., 0])


def test_no_truth_has_no_oracle() -> None:
    panel = ft.synthetic.hourly(T=60, n_series=1, seed=1).panel
    windows = ft.Drift(h=3).fit(panel).predict(panel).windows
    assert oracle_forecast(None, panel, windows, 3, (), ()) is None

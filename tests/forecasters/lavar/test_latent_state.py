"""The latent state of a panel against a slow loop: encoded by rows, rolled out by steps, blind to what follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import make_panel

from foretide.data.panel import Panel
from foretide.data.windows import Windows, first_rows, slide
from foretide.forecasters.lavar.latent_state import LatentState, covariates, stretches
from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.seeding import seeded_init, torch_generator
from foretide.training.config import Stage
from foretide.training.prepare import Preparation

H, P, K = 5, 3, 2
CONFIG = LatentConfig(latent=K, order=P, encoder=(6,), decoder=(6,))


def panel(**changes: Any) -> Panel:
    return make_panel((70, 55), targets=2, past=3, future=1, first=(0, 15), **changes)


def windows_of(given: Panel) -> tuple[Windows, Windows]:
    return (
        slide(given, input_size=P + 1, h=H, last_target=52),
        slide(given, input_size=P + 1, h=H, first_target=53),
    )


def fitted(given: Panel, source: str = "past", **changes: Any) -> tuple[LatentState, Preparation]:
    preparation = Preparation.fit(given, None)
    stage = Stage("stage 1", **{"epochs": 3, "batch_size": 16, "lr": 1e-2, **changes})
    with seeded_init(0):
        state, _ = LatentState.fit(given, preparation, windows_of(given), H, CONFIG, source, stage, torch_generator(0))
    return state, preparation


def slowly(state: LatentState, x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Standardised states of the rows of one window, and those ahead of it: one row, one lag, one step at a time."""
    with torch.no_grad():
        z = [state.model.encode(torch.from_numpy(row)[None])[0] for row in x]
        known = list(z)
        for _ in range(H):
            dynamics: Any = state.model.dynamics
            a, step = dynamics.coefficients()
            for lag in range(1, P + 1):
                step = step + a[lag - 1] @ known[-lag]
            known.append(step)
    out = (torch.stack(known).double().numpy() - state.location) / state.scale
    return out[: len(x)], out[len(x) :]


@pytest.mark.parametrize("source", ["past", "targets", "both"])
def test_states_equal_a_slow_loop(source: str) -> None:
    given = panel(missing=0.1)
    state, preparation = fitted(given, source)
    _, windows = windows_of(given)
    z, ahead = state.read(given, preparation, windows, H)
    scaled = preparation.values(given)
    x = {"past": scaled[:, 2:], "targets": scaled[:, :2], "both": scaled}[source]
    row0 = {0: 0, 1: 70}
    for w, (entity, cutoff) in enumerate(zip(windows.entity, windows.cutoff, strict=True)):
        row = row0[int(entity)] + int(cutoff)
        past, later = slowly(state, x[row - P + 1 : row + 1])
        np.testing.assert_allclose(z[row - P + 1 : row + 1], past, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(ahead[w], later, rtol=1e-4, atol=1e-5)
    assert ahead.shape == (len(windows), H, K)


def test_states_are_standard_over_the_training_part() -> None:
    given = panel()
    state, preparation = fitted(given)
    train, _ = windows_of(given)
    z, _ = state.read(given, preparation, train, H)
    rows = np.concatenate([first_rows(given.length)[e] + train.cutoff[train.entity == e] for e in (0, 1)])
    np.testing.assert_allclose(z[rows].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(z[rows].std(axis=0), 1, rtol=1e-5)


def test_rows_after_the_last_cutoff_are_not_looked_at() -> None:
    given = panel()
    state, preparation = fitted(given)
    early = slide(given, input_size=P + 1, h=H, last_target=40)
    values = given.values.copy()
    for entity in (0, 1):
        last = int(early.cutoff[early.entity == entity].max())
        values[int(given.row0[entity]) + last + 1 : int(given.row0[entity] + given.length[entity])] = 1e6
    poisoned = given.with_values(values)
    for clean, other in zip(
        state.read(given, preparation, early, H), state.read(poisoned, preparation, early, H), strict=True
    ):
        np.testing.assert_array_equal(clean, other)
    whole, _ = state.read(given, preparation, early, H, all_rows=True)
    late, _ = state.read(given, preparation, windows_of(given)[1], H)
    last = int(windows_of(given)[1].cutoff[windows_of(given)[1].entity == 0].max())
    np.testing.assert_array_equal(whole[: last + 1], late[: last + 1])


def test_it_comes_back_from_its_arrays() -> None:
    given = panel()
    state, preparation = fitted(given, "both")
    again = LatentState.restore(state.arrays(), LatentModel(5, H, CONFIG), "both")
    for a, b in zip(
        state.read(given, preparation, windows_of(given)[0], H),
        again.read(given, preparation, windows_of(given)[0], H),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_covariates_are_scaled_columns_without_gaps() -> None:
    given = panel(missing=0.2)
    preparation = Preparation.fit(given, None)
    both = covariates(given, preparation, "both")
    assert both.shape == (125, 5)
    assert np.isfinite(both).all()
    np.testing.assert_array_equal(covariates(given, preparation, "past"), both[:, 2:])
    np.testing.assert_array_equal(covariates(given, preparation, "targets"), both[:, :2])
    seen = ~np.isnan(given.values[:70, 3])
    expected = (given.values[:70, 3] - preparation.location[0, 3]) / preparation.scale[0, 3]
    np.testing.assert_allclose(both[:70, 3][seen], expected[seen], rtol=1e-5, atol=1e-5)


def test_stretches_are_runs_of_cutoffs_in_rows_without_holes() -> None:
    given = panel()
    every = slide(given, input_size=P + 1, h=H)
    holes = every[~np.isin(np.arange(len(every)), [10, 11, 30])]
    found = stretches(given, holes)
    rows = np.concatenate([np.arange(s.first, s.first + s.count) for s in found])
    np.testing.assert_array_equal(rows, first_rows(given.length)[holes.entity] + holes.cutoff)
    assert len(found) == 4
    assert [s.count for s in found][:2] == [10, 18]
    np.testing.assert_array_equal(first_rows(given.length), [0, 70])


def test_a_panel_with_holes_between_its_rows() -> None:
    """A part of a panel is a view: rows of the entities left out and rows cut away lie in between."""
    given = panel()
    part = given.until(given.grid.output_times([49])[0])
    state, preparation = fitted(given)
    windows = slide(part, input_size=P + 1, h=H)
    z, ahead = state.read(part, preparation, windows, H)
    assert len(z) == int(part.length.sum())
    alone = part.take([1])
    mine = windows.entity == 1
    z_alone, ahead_alone = state.read(alone, preparation, slide(alone, input_size=P + 1, h=H), H)
    np.testing.assert_allclose(z[int(part.length[0]) :], z_alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ahead[mine], ahead_alone, rtol=1e-5, atol=1e-6)


def test_a_state_that_does_not_vary_keeps_its_unit() -> None:
    given = panel()
    values = given.values.copy()
    values[:, 2:5] = 3.0
    state, preparation = fitted(given.with_values(values))
    np.testing.assert_array_equal(state.scale, 1.0)
    z, ahead = state.read(given.with_values(values), preparation, windows_of(given)[0], H)
    assert np.isfinite(z).all()
    assert np.isfinite(ahead).all()

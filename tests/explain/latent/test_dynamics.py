"""What a fitted LAVAR's latent state says, against plain computations row by row."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.synthetic.supplies import supplies
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.evaluation.compare.tests import diebold_mariano
from foretide.evaluation.leaks.poison import poisoned
from foretide.explain.latent.reading import Reading
from foretide.explain.latent.summary import DynamicsSummary, dynamics
from foretide.forecasters.lavar.latent_state import covariates
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.seeding import torch_generator

H, P, K, D, C = 5, 3, 2, 6, 5
QUICK: dict[str, Any] = {"order": P, "latent": K, "encoder": (6,), "decoder": (6,), "epochs": 2, "head_epochs": 2}
UNTIL = "2019-07-19"  # step 199


@cache
def goods(n_sites: int = 1) -> Panel:
    return supplies(T=260, n_targets=D, n_covariates=C, seed=3, n_sites=n_sites).panel


@cache
def fitted(n_sites: int = 1, dynamics: str = "var", until: str | None = UNTIL) -> LAVAR:
    """A model whose heads and dynamics were shaken, so that every weight matters."""
    model = LAVAR(H, dynamics=dynamics, **QUICK).fit(goods(n_sites), until=until)
    noise = torch_generator(1)
    parts = model._parts()
    with torch.no_grad():
        for parameter in (*parts.bank.heads.parameters(), *parts.state.model.dynamics.parameters()):
            parameter += 0.02 * torch.randn(parameter.shape, generator=noise)
    return model


@cache
def said(n_sites: int = 1) -> DynamicsSummary:
    return dynamics(fitted(n_sites), goods(n_sites))


# ------------------------------------------------------------------ the state
def test_eigenvalues_are_those_of_the_network() -> None:
    network: Any = fitted()._parts().state.model.dynamics
    expected = np.sort(np.abs(np.linalg.eigvals(network.companion().double().numpy())))[::-1]
    np.testing.assert_allclose(np.abs(said().eigenvalues), expected, rtol=1e-6)
    assert said().spectral_radius == pytest.approx(network.spectral_radius())
    assert said().stable == (network.spectral_radius() < 1)


def test_coefficients_move_standard_states_as_the_network_moves_raw_ones() -> None:
    reading = Reading.of(fitted(), goods(), None)
    state, (a, c) = reading.parts.state, reading.coefficients()
    t = 77
    mine = c + sum(a[i] @ reading.z[t - 1 - i] for i in range(P))
    raw = torch.from_numpy(reading.z * state.scale + state.location).float()
    step = state.model.dynamics.step(raw[t - P : t][None])[0].detach().numpy()
    np.testing.assert_allclose(mine, (step - state.location) / state.scale, atol=1e-4)


def test_a_gru_is_linearised_at_the_mean_state() -> None:
    reading = Reading.of(fitted(dynamics="gru"), goods(), None)
    state, (a, _) = reading.parts.state, reading.coefficients()
    rest = torch.from_numpy(np.tile(state.location, (P, 1)))
    step: Any = state.model.dynamics.double().step
    for lag in range(P):
        for k in range(K):
            moved = rest.clone()
            moved[P - 1 - lag, k] += 1e-4 * state.scale[k]
            with torch.no_grad():
                slope = (step(moved[None]) - step(rest[None]))[0].numpy() / 1e-4 / state.scale
            np.testing.assert_allclose(a[lag, :, k], slope, atol=1e-3)
    state.model.dynamics.float()
    found = dynamics(fitted(dynamics="gru"), goods())
    assert any("GRU, here linearised" in s for s in found.sentences())
    assert not any("linearised" in s for s in said().sentences())


def test_covariance_of_the_one_step_errors_of_the_training_part() -> None:
    reading = Reading.of(fitted(), goods(), None)
    a, c = reading.coefficients()
    errors = [reading.z[t] - c - sum(a[i] @ reading.z[t - 1 - i] for i in range(P)) for t in range(P, 200)]
    np.testing.assert_allclose(said().covariance, np.mean([np.outer(e, e) for e in errors], axis=0), atol=1e-4)


def test_paths_of_two_sites() -> None:
    model, panel = fitted(2), goods(2)
    found = said(2).path()
    assert list(found.columns) == ["unique_id", "ds", "z1", "z2"]
    assert len(found) == 2 * 260
    parts = model._parts()
    with torch.no_grad():
        raw = parts.state.model.encode(torch.from_numpy(covariates(panel, parts.preparation, "past"))).numpy()
    row = found[(found["unique_id"] == "site2") & (found["ds"] == pd.Timestamp("2019-01-11"))]
    expected = (raw[260 + 10] - parts.state.location) / parts.state.scale
    np.testing.assert_allclose(row[["z1", "z2"]].to_numpy()[0], expected, atol=1e-5)


def test_errors_by_step_against_a_loop() -> None:
    reading = Reading.of(fitted(), goods(), None)
    a, c = reading.coefficients()
    cutoffs = list(range(199, 260 - H))
    ours, kept = np.zeros((len(cutoffs), H)), np.zeros((len(cutoffs), H))
    for w, t in enumerate(cutoffs):
        recent = [reading.z[t - i] for i in range(P)]
        for h in range(H):
            ahead = c + sum(a[i] @ recent[i] for i in range(P))
            recent = [ahead, *recent[:-1]]
            ours[w, h] = np.mean((ahead - reading.z[t + 1 + h]) ** 2)
            kept[w, h] = np.mean((reading.z[t] - reading.z[t + 1 + h]) ** 2)
    table = said().latent_errors()
    assert said().n_windows == len(cutoffs)
    np.testing.assert_allclose(table["mse"], ours.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(table["persistence"], kept.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(table["skill"], 1 - ours.mean(axis=0) / kept.mean(axis=0), rtol=1e-2, atol=1e-3)
    for h in (1, 4):
        test = diebold_mariano(ours[:, h - 1], kept[:, h - 1], h=h)
        row = table[table["h_step"] == h].iloc[0]
        np.testing.assert_allclose(row[["low", "high"]].to_numpy(float), test.interval(95), rtol=1e-2, atol=1e-3)
    assert (table["p_holm"] >= table["p_value"]).all()


# ------------------------------------------------------------------ covariates
def test_loadings_by_finite_differences_and_by_correlation() -> None:
    parts = fitted()._parts()
    state = parts.state
    at = torch.from_numpy(state.location)
    decode: Any = state.model.autoencoder.decoder.double()
    for k in range(K):
        step = torch.zeros(K).double()
        step[k] = 1e-6 * state.scale[k]
        with torch.no_grad():
            slope = (decode(at + step) - decode(at - step)).numpy() / 2e-6
        np.testing.assert_allclose(said().jacobian[:, k], slope, atol=1e-4)
    state.model.autoencoder.decoder.float()
    table = said().loadings()
    assert len(table) == C * K
    z = said().path()["z2"].to_numpy()[:200]
    row = table[(table["column"] == "cov03") & (table["latent"] == "z2")].iloc[0]
    assert row["correlation"] == pytest.approx(np.corrcoef(goods().values[:200, D + 2], z)[0, 1], abs=1e-5)
    assert row["jacobian"] == said().jacobian[2, 1]


# ------------------------------------------------------------------ targets
def test_responses_of_targets_are_differences_of_forecasts() -> None:
    """A rollout with another constant is a rollout with a shock at the first step: the model's own forecast says so."""
    model, panel = fitted(), goods()
    cutoffs = list(panel.grid.output_times(np.array([210, 221, 232])))
    found = dynamics(model, panel, cutoffs)
    plain = model.predict(panel, cutoffs, levels=())
    state = model._parts().state

    def rollout(z: torch.Tensor, h: int) -> torch.Tensor:
        ahead = original(z, h)
        shock = torch.from_numpy(found.responses[:h, :, 1] * state.scale)
        return ahead + shock.to(ahead.dtype)

    network: Any = state.model.dynamics
    original = network.rollout
    network.rollout = rollout
    try:
        shocked = model.predict(panel, cutoffs, levels=())
    finally:
        del network.rollout
    expected = (shocked.mean - plain.mean).mean(axis=0)
    np.testing.assert_allclose(found.target_responses[:, :, 1], expected, atol=1e-4)
    np.testing.assert_allclose(found.forecast, plain.mean.mean(axis=0), rtol=1e-5)
    assert np.abs(expected).max() > 1e-3


def test_tables_of_targets() -> None:
    table = said().impulse_responses()
    assert len(table) == (K + D) * K * H
    row = table[(table["name"] == "item04") & (table["shock"] == "z2") & (table["step"] == 3)].iloc[0]
    assert row["kind"] == "target"
    assert row["response"] == said().target_responses[3, 3, 1]
    assert row["relative"] == pytest.approx(said().target_responses[3, 3, 1] / said().forecast[3, 3])
    shares = said().variance_decomposition()
    sums = shares.groupby(["kind", "name", "h_step"])["share"].sum(min_count=1).dropna()
    np.testing.assert_allclose(sums, 1.0)
    effects = said().target_effects()
    assert (effects["relative"].diff().dropna() <= 0).all()
    first = effects.iloc[0]
    d = goods().targets.index(first["target"])
    size = [np.sqrt(sum(said().target_responses[h, d, j] ** 2 for j in range(K))) for h in range(H)]
    assert first["relative"] == pytest.approx(max(s / said().forecast[h, d] for h, s in enumerate(size)))


def test_joint_effects_do_not_depend_on_the_order_of_shocks() -> None:
    """To first order in the size of the shocks, so that base and heads are nearly linear."""
    other = dynamics(fitted(), goods(), order=[1, 0])
    assert other.order == (1, 0)
    assert said().order == (0, 1)
    a, b = ((s.target_responses**2).sum(axis=2) for s in (said(), other))
    big = a > 1e-3 * a.max()
    np.testing.assert_allclose(a[big], b[big], rtol=0.25)
    assert not np.allclose(said().responses, other.responses, rtol=0.25)
    assert dynamics(fitted(), goods(), shocks="generalised").order == ()


# ------------------------------------------------------------------ which rows
def test_what_comes_after_the_last_window_changes_nothing() -> None:
    panel = goods()
    cutoffs = list(panel.grid.output_times(np.arange(205, 225)))
    last = panel.grid.output_times([224 + H])[0]
    clean = dynamics(fitted(), panel, cutoffs)
    bad = dynamics(fitted(), poisoned(panel, last, "huge"), cutoffs)
    for field in dataclasses.fields(DynamicsSummary):
        a, b = getattr(clean, field.name), getattr(bad, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(clean.latent_errors(), bad.latent_errors())


def test_the_panel_stays_as_it_was() -> None:
    before = goods().values.copy()
    dynamics(fitted(), goods())
    np.testing.assert_array_equal(goods().values, before)


def test_windows_by_default_come_after_what_fit_saw() -> None:
    assert not said().in_sample
    whole = dynamics(fitted(until=None), goods())
    assert whole.in_sample
    assert any("learned from rows after the first" in s for s in whole.sentences())
    assert dynamics(fitted(), goods(), ["2019-05-01"]).in_sample


def test_rows_without_covariates_have_no_state() -> None:
    values = goods().values.copy()
    values[240:, D : D + C] = np.nan
    found = dynamics(fitted(), goods().with_values(values))
    assert len(found.path()) == 240
    table = found.latent_errors()
    # Of the cutoffs 199 .. 239 the step h ahead is known for those up to 239 - h.
    np.testing.assert_array_equal(table["n"], 41 - np.arange(1, H + 1))


# ------------------------------------------------------------------ words
def with_eigenvalues(*values: complex) -> DynamicsSummary:
    return dataclasses.replace(said(), eigenvalues=np.array(values, dtype=np.complex128))


def test_words_follow_the_eigenvalues() -> None:
    explosive = with_eigenvalues(1.01, 0.5).sentences()
    assert "NOT stable: its largest eigenvalue has a modulus of 1.010" in explosive[0]
    assert "NOT stable" in repr(with_eigenvalues(1.0))
    slow = with_eigenvalues(0.95, 0.5).sentences()
    assert "halves in 13.5 steps" in slow[0]
    assert "forgets a shock at once" in with_eigenvalues(0.4).sentences()[0]
    assert "No clear pattern of cycles" in slow[1]
    angle = 2 * np.pi / 7
    wave = 0.97 * np.exp(1j * angle)
    assert "7 steps (halves in 22.8)" in with_eigenvalues(wave, wave.conjugate()).sentences()[1]
    short = 0.85 * np.exp(1j * angle)  # halves in 4.3 steps, before the wave is over
    assert "No clear pattern of cycles" in with_eigenvalues(short, short.conjugate()).sentences()[1]


def test_words_follow_errors_targets_and_covariates() -> None:
    table = said().latent_errors().assign(
        difference=[-1.0, -1.0, -1.0, 0.1, 2.0], skill=[0.2, 0.3, 0.4, 0.0, -0.5], p_holm=[0.01, 0.02, 0.03, 0.9, 0.04]
    )  # fmt: skip
    text = dataclasses.replace(said(), _errors=table).sentences()[2]
    assert "20% to 40% lower than that of the last state kept at steps 1 to 3" in text
    assert "50% higher than that of the last state kept at step 5" in text
    chance = dataclasses.replace(said(), _errors=table.assign(p_holm=0.5)).sentences()[2]
    assert "No clear pattern against persistence" in chance
    few = dataclasses.replace(said(), _errors=table.assign(p_holm=np.nan, n=4)).sentences()[2]
    assert "4 cutoffs are too few" in few

    silent = dataclasses.replace(said(), target_responses=0 * said().target_responses).sentences()[3]
    assert "The latent state has no part in the forecasts of LAVAR" in silent
    still = dataclasses.replace(said(), target_responses=1e-6 * said().target_responses).sentences()[3]
    assert "No clear pattern in the targets" in still
    moved = np.zeros_like(said().target_responses)
    moved[2, 4, 0] = 0.5 * said().forecast[2, 4]
    text = dataclasses.replace(said(), target_responses=moved).sentences()[3]
    assert "1 of 6 targets" in text
    assert "item05 (50% at step 3 ahead)" in text

    alone = np.full((C, K), 0.1)
    assert "No clear pattern in the covariates" in dataclasses.replace(said(), correlation=alone).sentences()[4]
    alone[3, 1] = -0.8
    text = dataclasses.replace(said(), correlation=alone).sentences()[4]
    assert "z2 with cov04 (-0.80)" in text
    assert "1 latent with none" in text


def test_what_is_shown() -> None:
    assert "2 latents, 6 eigenvalues" in repr(said())
    odd = dataclasses.replace(said(), model="<script>")
    assert "<script>" not in odd._repr_html_()
    assert "&lt;script&gt;" in odd._repr_html_()
    assert sorted(said().frames()) == sorted(
        [
            "modes",
            "impulse_responses",
            "variance_decomposition",
            "target_effects",
            "loadings",
            "path",
            "latent_errors",
            "latent_about",
        ]
    )
    assert ft.LAVAR is LAVAR


# ------------------------------------------------------------------ bad input
def test_wrong_models_and_settings() -> None:
    with pytest.raises(ConfigError, match="Only a LAVAR has a latent state, got Persistence"):
        dynamics(ft.Persistence(3).fit(goods()), goods())  # type: ignore[arg-type]
    with pytest.raises(NotFittedError, match="LAVAR is not fitted"):
        dynamics(LAVAR(H, **QUICK), goods())
    with pytest.raises(ConfigError, match="level is in percent"):
        dynamics(fitted(), goods(), level=100)
    with pytest.raises(DataError, match="No window fits: 3 rows up to a cutoff and 5 after it"):
        dynamics(fitted(), goods().until("2019-01-04"))
    with pytest.raises(DataError, match="was fitted with targets columns"):
        dynamics(fitted(), supplies(T=100, n_targets=3, n_covariates=C).panel)

"""The plain LAVAR beside the recipe, written out once more in plain PyTorch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import foretide as ft
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.forecasters.part import FitPart, held_back
from foretide.typing import Floats

H, P, K = 4, 3, 2
QUICK: dict[str, Any] = {"order": P, "latent": K, "epochs": 3, "head_epochs": 3, "seed": 1}


@cache
def panel() -> ft.Panel:
    """Return 6 daily counts of all densities, 3 covariates, holidays."""
    return ft.synthetic.supplies(T=260, n_targets=6, n_covariates=3, seed=4, ahead=H).panel


@cache
def fitted(**settings: Any) -> LAVAR:
    return ft.PlainLAVAR(H, **{**QUICK, **settings}).fit(panel())


def cutoffs() -> Any:
    return panel().grid.output_times(np.arange(200, 250, 7))


def recipe(model: LAVAR, cutoff: int) -> tuple[Floats, Tensor]:
    """Forecast from one cutoff as the recipe says, ``[H, D]``: encode, roll out, one small network per bucket."""
    parts = model._parts()
    latent, preparation, d = parts.state.model, parts.preparation, panel().n_targets
    rows = (panel().rows(0) - np.pad(preparation.location[0], (0, 1))) / np.pad(
        preparation.scale[0], (0, 1), constant_values=1.0
    )
    x = torch.from_numpy(rows[: cutoff + 1, d : d + 3].astype(np.float32))
    x = torch.where(x == 0, torch.full_like(x, 1e-6), x)

    def network(layers: list[nn.Linear], value: Tensor) -> Tensor:
        for number, layer in enumerate(layers):
            value = layer(torch.relu(value) if number else value)
        return value

    a, c = latent.dynamics.coefficients()
    with torch.no_grad():
        states = [network(latent.autoencoder.encoder.linears, row) for row in x[-P:]]
        for _ in range(H):
            states.append(c + sum(a[i] @ states[-1 - i] for i in range(P)))
        ahead = torch.stack(states[P:])
        out = np.zeros((H, d))
        last = panel().rows(0)[cutoff, :d]
        for bucket, columns in parts.bank.columns.items():
            layers = [layer for layer in parts.bank.heads[bucket].linear if isinstance(layer, nn.Linear)]
            raw = network(layers, ahead)
            if bucket == "ultra":
                logit, mean, _ = raw.chunk(3, dim=-1)
                out[:, columns] = ((1 - torch.sigmoid(logit)) * nn.functional.softplus(mean)).numpy()
            else:
                out[:, columns] = np.maximum(last[columns] + raw.cumsum(dim=0).numpy(), 0.0)
    return out, ahead


@pytest.mark.parametrize("ultra", [0.005, 0.3])
def test_the_forecast_is_that_of_the_recipe(ultra: float) -> None:
    model = fitted(ultra=ultra)
    if ultra > 0.1:
        assert "ultra" in model._parts().bank.columns
    forecast = model.predict(panel(), cutoffs(), latent=True)
    for mean, latent, cutoff in zip(forecast.mean, forecast.extras["latent"], forecast.windows.cutoff, strict=True):
        expected, ahead = recipe(model, int(cutoff))
        np.testing.assert_allclose(latent, ahead.numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mean, expected, rtol=1e-3, atol=1e-3)


def test_heads_learn_increments_by_squared_error() -> None:
    """Stage 2 in plain PyTorch, on all windows in the same order, from the same begin."""
    settings: dict[str, Any] = {"ultra": 0.0, "dense": 0.0, "epochs": 0, "head_lr": 0.01}
    begun, model = fitted(**settings, head_epochs=0), fitted(**settings, head_epochs=2)
    losses = [row["val_loss"] for row in model.history["stage2"]]
    windows, checks = FitPart(panel(), held_back(panel(), H)).windows(input_size=P + 1, h=H)
    parts, d = begun._parts(), panel().n_targets
    y = panel().rows(0)[:, :d]

    def data(cut: Any) -> tuple[Tensor, Tensor]:
        z = parts.state.read(panel(), parts.preparation, cut, H, all_rows=True)[1]
        rows = np.stack([y[t : t + H + 1] for t in cut.cutoff])
        return torch.from_numpy(z.astype(np.float32)), torch.from_numpy(np.diff(rows, axis=1).astype(np.float32))

    head = nn.Sequential(nn.Linear(K, 16), nn.ReLU(), nn.Linear(16, d))
    (bucket,) = parts.bank.columns
    head.load_state_dict(parts.bank.heads[bucket].linear.state_dict())
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(1)
    (z, dy), (z_check, dy_check) = data(windows), data(checks)
    for epoch in range(3):
        if epoch:
            for chosen in torch.split(torch.randperm(len(z), generator=generator), 64):
                optimizer.zero_grad()
                nn.functional.mse_loss(head(z[chosen]), dy[chosen]).backward()
                nn.utils.clip_grad_norm_(head.parameters(), 1.0)
                optimizer.step()
        with torch.no_grad():
            assert losses[epoch] == pytest.approx(float(nn.functional.mse_loss(head(z_check), dy_check)), rel=1e-3)


def test_as_many_parameters_as_the_formula_says() -> None:
    parts = fitted(ultra=0.3)._parts()
    channels = 3
    sizes = [(channels, 32), (32, 16), (16, K), (K, 16), (16, 32), (32, channels)]
    expected = sum(a * b + b for a, b in sizes) + P * K * K + K
    assert sum(p.numel() for p in parts.state.model.parameters()) == expected
    for bucket, columns in parts.bank.columns.items():
        outputs = len(columns) * (3 if bucket == "ultra" else 1)
        head = sum(p.numel() for p in parts.bank.heads[bucket].parameters())
        assert head == K * 16 + 16 + 16 * outputs + outputs


def test_every_improvement_is_off() -> None:
    begun = fitted(epochs=0, head_epochs=0)
    parts = begun._parts()
    a, c = (part.detach() for part in parts.state.model.dynamics.coefficients())
    torch.testing.assert_close(a[0], torch.eye(K), rtol=0, atol=0.02)  # near identity on the newest lag
    assert float(a[1:].abs().max()) < 0.02
    assert float(a[1:].abs().min()) > 0
    assert not c.any()
    solved = fitted(epochs=0, head_epochs=0, closed_form=True)._parts()
    assert (solved.state.model.dynamics.coefficients()[0] - a).abs().max() > 0.05
    assert parts.effects is None
    assert parts.preparation.calendar is None
    assert (parts.unit == 1).all()
    assert (parts.state.location == 0).all()
    assert (parts.state.scale == 1).all()
    assert np.isinf(parts.guard.upper).all()
    assert parts.shape.features == K
    forecast = begun.predict(panel(), cutoffs(), base=True)
    last = np.stack([panel().rows(0)[t, :6] for t in forecast.windows.cutoff])
    np.testing.assert_allclose(forecast.extras["base"], np.broadcast_to(last[:, None], (8, H, 6)))
    assert np.abs(forecast.mean - forecast.extras["base"]).max() > 0.01  # heads begin at random, and stay
    shipped = fitted(head_inputs="auto", units="series", base="auto", effects=True)._parts()
    assert shipped.shape.features > K
    assert (shipped.unit != 1).any()


def test_a_start_is_named_only_where_training_begins_at_it() -> None:
    assert ft.PlainLAVAR(H).start() is None
    assert ft.PlainLAVAR(H, base="auto").start() is None  # its heads begin at random
    assert ft.PlainLAVAR(H, base="auto", heads=("delta",) * 3).start() is not None


def test_holidays_ahead_change_nothing() -> None:
    model = fitted()
    assert not model.uses_future
    values = panel().values.copy()
    values[-H:, -1] = np.nan
    expected = model.predict(panel()).mean
    np.testing.assert_array_equal(model.predict(panel().with_values(values)).mean, expected)
    assert fitted(head_inputs="auto").uses_future
    assert fitted(base="auto").uses_future


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = fitted(ultra=0.3)
    model.save(tmp_path / "model")
    loaded = ft.load(tmp_path / "model")
    assert isinstance(loaded, ft.PlainLAVAR)
    np.testing.assert_array_equal(loaded.predict(panel()).mean, model.predict(panel()).mean)
    new = ft.explain.dynamics(loaded, panel())
    assert new.sentences()


def test_wrong_settings_name_what_can_be() -> None:
    for name, value in (("head_inputs", "all"), ("units", "raw")):
        with pytest.raises(ft.errors.ConfigError, match=f"{name} is one of"):
            ft.PlainLAVAR(3, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ft.errors.ConfigError, match="head_margin=2 cannot work"):
        ft.PlainLAVAR(3, head_margin=2)
    for name, value in (("epochs", -1), ("head_epochs", None), ("head_epochs", 2.5), ("head_lr", 0), ("patience", 0)):
        with pytest.raises(ft.errors.ConfigError, match=f"^{name}={value!r} cannot work"):
            ft.LAVAR(3, **{name: value})  # type: ignore[arg-type]

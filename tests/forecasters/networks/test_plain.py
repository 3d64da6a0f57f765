"""The plain networks beside the recipe, written out once more in plain PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import foretide as ft
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.forecasters.part import FitPart, held_back
from foretide.forecasters.sizes import Sizes
from foretide.models.inputs import Feedback
from foretide.seeding import torch_generator
from foretide.training.network import Network
from foretide.training.store import Store, WindowBatches

L, H, C, D_HIDDEN, M = 24, 5, 3, 16, 4
SIZES: dict[str, Any] = {"input_size": L, "hidden": D_HIDDEN, "batch_size": 32, "device": "cpu", "seed": 3}
KINDS: dict[str, type[NeuralForecaster]] = {"LSTM": ft.PlainLSTM, "attention": ft.PlainAttention}
PLAIN = {"regime_shifts": 0.0, "heteroskedasticity": 0.0, "coupling": 0.0}
each = pytest.mark.parametrize("kind", KINDS)


def panel() -> ft.Panel:
    return ft.synthetic.hourly(T=320, n_series=C, seed=5, **PLAIN).panel


class RecipeLSTM(nn.Module):
    """The last value starts the decoder, which reads its own forecasts."""

    def __init__(self, layers: int = 1) -> None:
        super().__init__()
        self.encoder = nn.LSTM(C, D_HIDDEN, num_layers=layers, batch_first=True)
        self.decoder = nn.LSTM(1, D_HIDDEN, num_layers=layers, batch_first=True)
        self.out = nn.Linear(D_HIDDEN, 1)

    def forward(self, past: Tensor) -> Tensor:
        _, state = self.encoder(past)
        value, steps = past[:, -1:, :1], []
        for _ in range(H):
            hidden, state = self.decoder(value, state)
            value = self.out(hidden)
            steps.append(value[:, 0])
        return torch.stack(steps, dim=1)


class RecipeAttention(nn.Module):
    """Keys and values anew at every step; each head computed on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(C, D_HIDDEN)
        self.position = nn.Parameter(torch.zeros(L, D_HIDDEN))
        self.query, self.key, self.value = (nn.Linear(D_HIDDEN, D_HIDDEN) for _ in range(3))
        self.out = nn.Linear(D_HIDDEN, 1)
        self.weights: list[Tensor] = []

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        width = D_HIDDEN // M
        found, weights = [], []
        for m in range(M):
            part = slice(m * width, (m + 1) * width)
            w = torch.softmax(torch.einsum("bnd,bld->bnl", q[..., part], k[..., part]) / width**0.5, dim=-1)
            weights.append(w)
            found.append(torch.einsum("bnl,bld->bnd", w, v[..., part]))
        return torch.cat(found, dim=-1), torch.stack(weights, dim=1)

    def forward(self, past: Tensor) -> Tensor:
        x = self.embed(past) + self.position
        q = self.query(x)
        encoded, _ = self.attend(q, q, self.value(x))
        state, steps, self.weights = encoded.mean(dim=1, keepdim=True), [], []
        for _ in range(H):
            state, w = self.attend(self.query(state), self.key(encoded), self.value(encoded))
            self.weights.append(w)
            steps.append(self.out(state)[:, 0])
        return torch.stack(steps, dim=1)


def twin(kind: str, network: Network) -> nn.Module:
    """Return the recipe with a network's weights."""
    made = RecipeLSTM() if kind == "LSTM" else RecipeAttention()
    names = {name.replace("out.", "head.linear.0.") if name.startswith("out.") else f"backbone.{name}": name
             for name in made.state_dict()}  # fmt: skip
    given = {names[name]: value for name, value in network.state_dict().items() if name in names}
    made.load_state_dict(given)
    return made


def fitted(kind: str, **settings: Any) -> NeuralForecaster:
    return KINDS[kind](H, **{**SIZES, "epochs": 2, **settings}).fit(panel())


@each
def test_the_network_is_that_of_the_recipe(kind: str) -> None:
    model = fitted(kind)
    network, _ = model._parts()
    windows = model.predict(panel(), panel().grid.output_times(np.arange(200, 230))).windows
    batches = model.window_batches(panel(), windows)
    inputs = batches.inputs(torch.arange(len(windows)))
    recipe = twin(kind, network)
    with torch.no_grad():
        expected = recipe(inputs.past)
        distribution, traces = network(inputs)
    torch.testing.assert_close(distribution.mean(), expected, rtol=1e-5, atol=1e-5)
    if isinstance(recipe, RecipeAttention):
        weights = traces["attention"]
        assert weights.shape == (30, M, H, L)
        torch.testing.assert_close(weights, torch.cat(recipe.weights, dim=2), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(30, M, H))


@each
def test_training_is_that_of_the_recipe(kind: str) -> None:
    """Adam with an L2 penalty on all windows in a new order each epoch, the best validation state copied."""
    epochs = 4
    settings = {"lr": 5e-3, "weight_decay": 1e-3, "epochs": epochs}
    begun, model = fitted(kind, **{**settings, "epochs": 0}), fitted(kind, **settings)
    recipe = twin(kind, begun._parts()[0])
    whole = panel()
    train, validation = FitPart(whole, held_back(whole, H)).windows(input_size=L, h=H)
    preparation = begun.preparation
    assert preparation is not None
    store = Store(whole, preparation, input_size=L, h=H)
    batches, checks = WindowBatches(store, train), WindowBatches(store, validation)
    optimizer = torch.optim.Adam(recipe.parameters(), lr=5e-3, weight_decay=1e-3)
    generator, best = torch_generator(SIZES["seed"]), (float("inf"), copy.deepcopy(recipe.state_dict()))
    inputs, labels = checks.batch(torch.arange(len(checks)))
    for epoch in range(epochs + 1):
        if epoch:
            for chosen in torch.split(torch.randperm(len(batches), generator=generator), 32):
                seen, truth = batches.batch(chosen)
                optimizer.zero_grad()
                nn.functional.mse_loss(recipe(seen.past), truth.y).backward()
                optimizer.step()
        with torch.no_grad():
            loss = float(nn.functional.mse_loss(recipe(inputs.past), labels.y))
        assert model.history[epoch]["val_loss"] == pytest.approx(loss, rel=2e-3)
        if loss < best[0]:
            best = (loss, copy.deepcopy(recipe.state_dict()))
    recipe.load_state_dict(best[1])
    with torch.no_grad():
        expected = recipe(inputs.past)
        got = model._parts()[0](inputs)[0].mean()
    torch.testing.assert_close(got, expected, rtol=1e-2, atol=2e-3)
    assert model.best_epoch > 0


COUNTS: dict[str, Callable[[int, int], int]] = {
    "LSTM": lambda d, layers: (
        4 * d * (C + d + 2) + 4 * d * (1 + d + 2) + (layers - 1) * 2 * 4 * d * (2 * d + 2) + d + 1
    ),
    "attention": lambda d, layers: C * d + d + L * d + 3 * (d * d + d) + d + 1,
}


@each
@pytest.mark.parametrize("d", [16, 32])
def test_as_many_parameters_as_the_formula_says(kind: str, d: int) -> None:
    model = fitted(kind, hidden=d, epochs=0)
    assert sum(p.numel() for p in model._parts()[0].parameters()) == COUNTS[kind](d, 1)


def test_as_many_parameters_with_two_layers() -> None:
    model = fitted("LSTM", layers=2, epochs=0)
    assert sum(p.numel() for p in model._parts()[0].parameters()) == COUNTS["LSTM"](D_HIDDEN, 2)


@each
def test_every_improvement_is_off(kind: str) -> None:
    model = fitted(kind, epochs=0)
    assert model.start_report() == []
    frame = model._parts()[0].backbone.frame
    assert (frame.level, frame.scale, frame.channels, len(frame.frequencies)) == ("none", "none", "none", 0)
    assert model.preparation is not None
    assert model.preparation.calendar is None
    network, _ = model._parts()
    assert not network.head.bounded
    batches = model.window_batches(panel(), model.predict(panel()).windows)
    inputs = batches.inputs(torch.arange(1))
    with torch.no_grad():
        hidden = network.backbone(inputs, Feedback(lambda features, base, scale: base))
    assert not hidden.base.any()  # nothing to correct
    assert bool((hidden.scale == 1).all())
    start = ft.LSTM(H, **{**SIZES, "epochs": 0}).fit(panel())
    assert np.abs(model.predict(panel()).mean - start.predict(panel()).mean).max() > 0.1
    defaults = model.parameters()
    expected = {
        "epochs": 12, "batch_size": 64, "lr": 1e-3, "weight_decay": 1e-6, "decoupled": False, "clip": None,
        "patience": None, "ema": 0.0, "steps_per_epoch": None, "input_size": 60, "head": "plain", "calendar": None,
    }  # fmt: skip
    assert {name: defaults[name] for name in expected} == expected


@each
def test_each_improvement_can_be_switched_on(kind: str) -> None:
    """With the closed form, the frame and a head that begins at zero, epoch 0 is the start of the shipped network."""
    on = {"closed_form": True, "level": "last", "scale": "window", "waves": "auto", "linear": True, "head": "point",
          "refit": True}  # fmt: skip
    found = fitted(kind, epochs=0, **on).predict(panel()).mean
    shipped = ft.LSTM(H, **{**SIZES, "epochs": 0, "level": "last", "known": "off", "calendar": None}).fit(panel())
    np.testing.assert_allclose(found, shipped.predict(panel()).mean, rtol=1e-5, atol=1e-5)
    levelled = fitted(kind, epochs=0, level="last", scale="window")
    frame = levelled._parts()[0].backbone.frame
    assert (frame.level, frame.scale, levelled.start_report()) == ("last", "window", [])


@each
def test_a_start_is_named_only_where_training_begins_at_it(kind: str) -> None:
    solved: dict[str, Any] = {"closed_form": True, "waves": "auto", "linear": True}
    make = KINDS[kind]
    assert make(H).start() is None
    assert make(H, level="last", scale="window").start() is None
    assert make(H, **solved).start() is None  # its layer begins at random
    start = make(H, **solved, head="point").start()
    assert isinstance(start, make)
    assert (start.training.epochs, start.name) == (0, f"{make.__name__}-start")


@each
def test_a_saved_one_keeps_its_frame(kind: str, tmp_path: Path) -> None:
    for place, settings in {"plain": {}, "framed": {"level": "mean", "scale": "window"}}.items():
        model = fitted(kind, **settings)
        model.save(tmp_path / place)
        loaded = ft.load(tmp_path / place)
        assert type(loaded) is KINDS[kind]
        np.testing.assert_array_equal(loaded.predict(panel()).mean, model.predict(panel()).mean)


def test_the_shipped_attention_without_a_closed_form_copies_the_last_value(tmp_path: Path) -> None:
    model = ft.Attention(H, **{**SIZES, "heads": 2, "closed_form": False, "calendar": None, "epochs": 0}).fit(panel())
    mean = model.predict(panel()).mean[0, :, 0]
    np.testing.assert_allclose(mean, panel().rows(0)[-1, 0], rtol=1e-3, atol=1e-3)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(ft.load(tmp_path / "model").predict(panel()).mean[0, :, 0], mean)


@each
def test_only_the_lstm_reads_what_is_known_ahead(kind: str) -> None:
    made = ft.synthetic.supplies(T=160, n_targets=2, n_covariates=1, ahead=3).panel
    model = KINDS[kind](3, **{**SIZES, "epochs": 1}).fit(made)
    assert model.uses_future == model.needs_future == (kind == "LSTM")
    values = made.values.copy()
    values[-3:, -1] = np.where(kind == "LSTM", 1 - values[-3:, -1], np.nan)  # holidays ahead: the others, or unknown
    same = np.array_equal(model.predict(made.with_values(values)).mean, model.predict(made).mean)
    assert same == (kind == "attention")


def test_attention_of_a_plain_network_is_explained() -> None:
    model = fitted("attention")
    summary = ft.explain.attention(model, panel(), panel().grid.output_times(np.arange(150, 300)))
    assert summary.shape == (150, M, H, L)
    assert len(summary.sentences()) > 3
    whole = summary.weights_of(range(3))
    np.testing.assert_allclose(whole.sum(axis=-1), 1, atol=1e-5)


def test_a_run_does_not_give_plain_networks_its_calendar(tmp_path: Path) -> None:
    quick = {"input_size": 12, "hidden": 8, "epochs": 1}
    config = {
        "data": {"synthetic": {"args": {"T": 200, "n_series": 1}}}, "h": 3, "baselines": False, "explain": False,
        "models": [{"PlainLSTM": quick}, {"LSTM": quick}],
    }  # fmt: skip
    folder = ft.run(config, output=tmp_path / "run").path
    plain, shipped = (ft.load(folder / "models" / name) for name in ("PlainLSTM", "LSTM"))
    assert plain.settings()["calendar"] is None
    assert shipped.settings()["calendar"] is not None


@each
def test_the_search_space_is_that_of_the_recipe(kind: str) -> None:
    space = KINDS[kind].search_space(Sizes(rows=1400, h=10, seasons=(24, 168)))
    assert space["lr"] == (1e-4, 1e-2, "log")
    assert "input_size" not in space
    own = {
        "LSTM": {"hidden": [32, 64, 96], "layers": [1, 2]},
        "attention": {"hidden": [64, 96, 128, 160], "heads": [2, 4, 8]},
    }
    assert {name: entry for name, entry in space.items() if name != "lr"} == own[kind]

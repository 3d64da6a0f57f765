from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from networks import make_inputs, make_start
from torch import nn

from foretide.errors import ConfigError
from foretide.models.config import LSTMConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Feedback, Hidden, Inputs, Shape
from foretide.models.lstm import LSTMBackbone
from foretide.seeding import seeded_init

SHAPE = Shape(input_size=7, h=4, targets=2, channels=3, known=2, static=1)


def build(shape: Shape = SHAPE, level: str = "none", **config: float) -> LSTMBackbone:
    with seeded_init(3):
        frame = Frame(make_start(shape, level=level), shape)
        return LSTMBackbone(frame, shape, LSTMConfig(**{"hidden": 6, **config})).eval()  # type: ignore[arg-type]


Value = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def keep(features: torch.Tensor, base: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return base


@torch.no_grad()
def run(backbone: LSTMBackbone, inputs: Inputs, value: Value) -> Hidden:
    found: Hidden = backbone(inputs, Feedback(value))
    return found


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell(lstm: nn.LSTM, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of an LSTM of one layer (Hochreiter & Schmidhuber 1997), gates in PyTorch's order."""
    w = {name: p.detach().numpy().astype(np.float64) for name, p in lstm.named_parameters()}
    gates = w["weight_ih_l0"] @ x + w["bias_ih_l0"] + w["weight_hh_l0"] @ h + w["bias_hh_l0"]
    i, f, g, o = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@pytest.mark.parametrize("level", ["none", "last"])
def test_equal_to_an_lstm_by_hand(level: str) -> None:
    backbone, inputs = build(level=level), make_inputs(SHAPE)
    read = np.random.default_rng(0).normal(size=(2, 6))

    def feedback(features: torch.Tensor, base: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return base + scale * (features @ torch.from_numpy(read.T).float())

    found = run(backbone, inputs, feedback)
    with torch.no_grad():
        framed = backbone.frame(inputs)
    base = (framed.outside + framed.linear).numpy().astype(np.float64)
    np.testing.assert_allclose(found.base, base, atol=1e-6)
    for b in range(4):
        static = inputs.static[b].numpy()  # type: ignore[index]
        h, c = np.zeros(6), np.zeros(6)
        for t in range(7):
            token = np.concatenate([framed.tokens[b, t].numpy(), inputs.known_past[b, t].numpy(), static])  # type: ignore[index]
            h, c = cell(backbone.encoder, token, h, c)
        previous = framed.tokens[b, -1, :2].numpy().astype(np.float64)
        for k in range(4):
            h, c = cell(backbone.decoder, np.concatenate([previous, inputs.known[b, k].numpy(), static]), h, c)  # type: ignore[index]
            np.testing.assert_allclose(found.features[b, k], h, atol=1e-5)
            scale = framed.scale[b, 0].numpy()
            forecast = base[b, k] + scale * (read @ h)
            previous = (forecast - framed.outside[b, k].numpy()) / scale


shapes = pytest.mark.parametrize(
    "shape", [SHAPE, Shape(input_size=7, h=4, targets=2, channels=3)], ids=["known", "nothing known"]
)


@shapes
@pytest.mark.parametrize("layers", [1, 2])
def test_the_cells_equal_the_whole_lstm(layers: int, shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, inputs = build(shape, layers=layers), make_inputs(shape)

    def feedback(features: torch.Tensor, base: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return base + scale * features[:, :2]

    found, called = run(backbone, inputs, feedback).features, []
    whole = torch.lstm
    monkeypatch.setattr(torch, "lstm", lambda *given: called.append(1) or whole(*given))
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    expected = run(backbone, inputs, feedback).features
    assert len(called) == 1 + shape.h  # the encoder is always whole
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.std() > 0.1


def made_linear(shape: Shape) -> tuple[torch.Tensor, torch.Tensor, Value]:
    rng = np.random.default_rng(0)
    weight, bias = (torch.from_numpy(rng.normal(size=size)) for size in ((shape.targets, 6), shape.targets))

    def value(features: torch.Tensor, base: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return base + scale * torch.nn.functional.linear(features, weight.to(features), bias.to(features))

    return weight.requires_grad_(), bias.requires_grad_(), value


@shapes
@pytest.mark.parametrize("level", ["none", "last"])
def test_a_linear_feedback_joins_the_recurrent_weights(shape: Shape, level: str) -> None:
    backbone, inputs = build(shape, level), make_inputs(shape)
    weight, bias, value = made_linear(shape)

    def refused(*_: torch.Tensor) -> torch.Tensor:
        raise AssertionError("asked for a step's value")

    expected = run(backbone, inputs, value)
    with torch.no_grad():
        found = backbone(inputs, Feedback(refused, (weight.float(), bias.float())))
    torch.testing.assert_close(found.features, expected.features, atol=1e-6, rtol=1e-6)
    assert torch.equal(found.base, expected.base)
    assert found.features.std() > 0.1


def test_gradients_of_a_linear_feedback_are_those_of_step_by_step() -> None:
    backbone = build().double()
    given = make_inputs(SHAPE)
    tensors = (given.past, given.known_past, given.known, given.static)
    past, known_past, known, static = (None if t is None else t.double() for t in tensors)
    assert past is not None
    inputs = Inputs(past, given.step, given.entity, given.h, known_past, known, static)
    weight, bias, value = made_linear(SHAPE)
    learned = [*backbone.parameters(), weight, bias]
    slopes = []
    for feedback in (Feedback(value), Feedback(value, (weight, bias))):
        hidden: Hidden = backbone(inputs, feedback)
        forecast = value(hidden.features, hidden.base, hidden.scale)
        slopes.append(torch.autograd.grad(forecast.square().sum(), learned, allow_unused=True))
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)
    assert sum(slope is not None and bool(slope.any()) for slope in slopes[0]) >= 12


def test_the_decoder_reads_what_is_fed_back() -> None:
    backbone, inputs = build(), make_inputs(SHAPE)
    asked: list[int] = []

    def told(value: float) -> Value:
        def feedback(features: torch.Tensor, base: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            asked.append(len(features))
            return base + value

        return feedback

    first, other = run(backbone, inputs, told(0.0)), run(backbone, inputs, told(1.0))
    assert asked == [4] * 6  # after the last step nobody reads
    torch.testing.assert_close(first.features[:, 0], other.features[:, 0])
    assert not torch.allclose(first.features[:, 1], other.features[:, 1], atol=1e-3)


def test_the_first_decoder_input_is_the_last_observed_target(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = Shape(input_size=7, h=1, targets=1, channels=1)
    backbone, inputs = build(shape), make_inputs(shape)
    for parameter in backbone.encoder.parameters():
        parameter.data.zero_()  # the decoder begins from nothing, whatever the lookback
    seen: list[torch.Tensor] = []
    cell = torch.lstm_cell

    def watched(given: torch.Tensor, *rest: Any) -> Any:
        seen.append(given)
        return cell(given, *rest)

    monkeypatch.setattr(torch, "lstm_cell", watched)
    run(backbone, inputs, keep)
    with torch.no_grad():
        framed = backbone.frame(inputs)
    torch.testing.assert_close(seen[0], framed.window[:, :, -1] / framed.scale[:, 0])
    assert seen[0].abs().max() > 0.1


def test_order_of_time_matters() -> None:
    shape = Shape(input_size=7, h=4, targets=2, channels=3)
    backbone, inputs = build(shape), make_inputs(shape)
    backbone.frame.weights.data.zero_()
    backbone.frame.waves.data.zero_()
    # Both have the same last step, so that only the encoder can tell them apart.
    order = [3, 1, 5, 0, 2, 4, 6]
    mixed = Inputs(inputs.past[:, order], inputs.step, inputs.entity, 4)
    first, other = run(backbone, inputs, keep), run(backbone, mixed, keep)
    torch.testing.assert_close(first.base, other.base)
    assert not torch.allclose(first.features, other.features, atol=1e-3)


def test_layers_and_dropout() -> None:
    backbone, inputs = build(layers=2, dropout=0.5), make_inputs(SHAPE)
    assert backbone.encoder.num_layers == backbone.decoder.num_layers == 2
    first = run(backbone, inputs, keep)
    assert first.features.shape == (4, 4, 6)
    assert torch.equal(first.features, run(backbone, inputs, keep).features)
    backbone.train()
    assert not torch.equal(run(backbone, inputs, keep).features, run(backbone, inputs, keep).features)
    assert build(dropout=0.5).encoder.dropout == 0.0  # between layers; with one layer PyTorch would warn


@pytest.mark.parametrize("settings", [{"hidden": 0}, {"layers": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_bad_settings(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="An LSTM needs hidden and layers of at least 1 and a dropout in"):
        LSTMConfig(**settings)  # type: ignore[arg-type]

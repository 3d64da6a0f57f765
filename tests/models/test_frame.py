from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import frame_by_hand, make_inputs, make_start

from foretide.models.frame import Frame, empty_start
from foretide.models.inputs import Inputs, Shape

SHAPE = Shape(input_size=9, h=4, targets=2, channels=3, known=2)
LEVELS, CHANNELS = ("last", "mean", "none"), ("shared", "own", "all")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("first_step", [0, 10**6])
def test_equal_to_the_frame_by_hand(level: str, channels: str, first_step: int) -> None:
    start, inputs = make_start(SHAPE, level=level, channels=channels), make_inputs(SHAPE, first_step=first_step)
    framed, expected = Frame(start, SHAPE)(inputs), frame_by_hand(start, inputs, SHAPE)
    for name in ("outside", "linear", "scale"):
        got = getattr(framed, name).detach().numpy()
        assert got.shape == expected[name].shape
        np.testing.assert_allclose(got, expected[name], atol=2e-5)
    np.testing.assert_allclose(framed.window.detach().numpy(), expected["window"].swapaxes(1, 2), atol=2e-5)
    scale = np.sqrt((expected["window"] ** 2).mean(axis=1, keepdims=True) + 0.01)
    np.testing.assert_allclose(framed.tokens.detach().numpy(), expected["window"] / scale, atol=1e-4)


@pytest.mark.parametrize("first_step", [-300, 12, 10**6 + 5])
def test_season_equals_the_season_term(first_step: int) -> None:
    start, inputs = make_start(SHAPE, waves=3), make_inputs(SHAPE, first_step=first_step)
    season = Frame(start, SHAPE)._season(inputs)
    assert season is not None
    for b in range(4):
        steps = int(inputs.step[b]) + np.arange(-8, 5)
        known = torch.cat([inputs.known_past[b], inputs.known[b]]).numpy()  # type: ignore[index]
        expected = start.season.at(int(inputs.entity[b]), steps, known)
        np.testing.assert_allclose(season[b].detach().numpy().T, expected, atol=1e-5)


def test_no_season_at_all() -> None:
    shape = Shape(9, 4, 2, 3)
    start, inputs = make_start(shape, waves=0), make_inputs(shape)
    frame = Frame(start, shape)
    assert frame._season(inputs) is None
    framed, expected = frame(inputs), frame_by_hand(start, inputs, shape)
    np.testing.assert_allclose(framed.outside.detach().numpy(), expected["outside"], atol=1e-6)
    np.testing.assert_allclose(framed.linear.detach().numpy(), expected["linear"], atol=1e-5)


@pytest.mark.parametrize(("waves", "use_known"), [(0, True), (2, False)])
def test_waves_or_known_columns_alone(waves: int, use_known: bool) -> None:
    start, inputs = make_start(SHAPE, waves=waves, use_known=use_known), make_inputs(SHAPE)
    framed, expected = Frame(start, SHAPE)(inputs), frame_by_hand(start, inputs, SHAPE)
    np.testing.assert_allclose(framed.outside.detach().numpy(), expected["outside"], atol=1e-5)


def test_a_flat_window_has_the_smallest_scale() -> None:
    shape = Shape(9, 4, 1, 1)
    frame = Frame(make_start(shape, waves=0), shape)
    flat = Inputs(torch.full((1, 9, 1), 3.0), torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long), 4)
    framed = frame(flat)
    torch.testing.assert_close(framed.scale, torch.full((1, 1, 1), 0.1))
    torch.testing.assert_close(framed.tokens, torch.zeros(1, 9, 1))


@pytest.mark.parametrize("level", ["last", "mean"])
def test_a_shift_of_the_window_shifts_the_forecast(level: str) -> None:
    start, inputs = make_start(SHAPE, level=level), make_inputs(SHAPE)
    frame = Frame(start, SHAPE)
    shifted = Inputs(inputs.past + 5.0, inputs.step, inputs.entity, 4, inputs.known_past, inputs.known)
    before, after = frame(inputs), frame(shifted)
    torch.testing.assert_close(after.linear, before.linear, atol=1e-4, rtol=0)
    torch.testing.assert_close(after.outside, before.outside + 5.0, atol=1e-4, rtol=0)


def test_parameters_are_copies_of_the_start() -> None:
    start = make_start(SHAPE)
    kept = start.weights.copy()
    frame = Frame(start, SHAPE)
    with torch.no_grad():
        for parameter in frame.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(start.weights, kept)
    assert {name for name, _ in frame.named_parameters()} == {"waves", "known", "weights", "intercept"}


@pytest.mark.parametrize("channels", CHANNELS)
def test_rebuilt_from_its_state(channels: str) -> None:
    frame, inputs = Frame(make_start(SHAPE, level="mean", channels=channels), SHAPE), make_inputs(SHAPE)
    arrays = {"frame." + k: v.numpy() for k, v in frame.state_dict().items()}
    again = Frame(empty_start(frame.structure(), arrays, "frame."), SHAPE)
    again.load_state_dict(frame.state_dict())
    for name in ("outside", "linear", "window"):
        assert torch.equal(getattr(again(inputs), name), getattr(frame(inputs), name))

from __future__ import annotations

import pytest
import torch

from foretide.models.config import StartConfig
from foretide.models.correction import StepCorrection
from foretide.models.frame import Frame, Framed
from foretide.models.inputs import Inputs, Shape
from foretide.models.start import no_start
from foretide.seeding import seeded_init

SHAPE = Shape(input_size=12, h=5, targets=2, channels=3, known=2, static=1)


def framed(factor: float = 1.0, n: int = 40, level: str = "last") -> Framed:
    with seeded_init(3):
        past = torch.randn(n, SHAPE.input_size, SHAPE.channels) * factor
        known = torch.randn(n, SHAPE.input_size + SHAPE.h, SHAPE.known)
        static = torch.randn(n, SHAPE.static)
    zero = torch.zeros(n, dtype=torch.long)
    frame = Frame(no_start(1, SHAPE.channels, StartConfig(level=level)), SHAPE)
    size = SHAPE.input_size
    return frame(Inputs(past, zero, zero, SHAPE.h, known[:, :size], known[:, size:], static))


def correction(lags: tuple[int, ...] = (3, 6), *, moved: bool = True) -> StepCorrection:
    with seeded_init(0):
        made = StepCorrection(SHAPE, lags)
        made.measure(framed(), framed().linear)
        if moved:
            torch.nn.init.normal_(made.out)
    return made.requires_grad_(False)


def test_it_begins_at_the_forecast_it_corrects() -> None:
    window = framed()
    assert not correction(moved=False)(window, window.linear).any()


@pytest.mark.parametrize("lags", [(), (3,), (3, 6)])
def test_the_mean_of_its_members_is_the_correction(lags: tuple[int, ...]) -> None:
    window, made = framed(), correction(lags)
    each = made.each(window, window.linear, 0.0)
    assert each.shape == (4, 40, SHAPE.h, 2)
    assert not torch.allclose(each[0], each[1])
    assert torch.allclose(each.mean(dim=0), made(window, window.linear))


def test_a_step_reads_the_same_place_of_the_last_cycle() -> None:
    window = framed()
    own, shared = correction((3,)).read(window, window.linear)
    for step, back in ((0, 3), (2, 1), (3, 3), (4, 2)):
        assert torch.equal(own[:, step, :, 6], window.inputs.past[:, -back, :2])
        assert torch.equal(own[:, step, :, 7], window.tokens[:, -back, :2])
        assert torch.equal(shared[:, step, 1:3], window.inputs.known[:, step])
        assert torch.equal(shared[:, step, 3:5], window.inputs.known_past[:, -back])


def test_half_of_the_members_see_no_absolute_size() -> None:
    made = correction()
    low, high = framed(level="none"), framed(level="none")
    inputs = high.inputs
    moved = Framed(
        high.window, high.tokens, high.scale, high.outside + 0.7, high.linear,
        Inputs(inputs.past + 0.7, inputs.step, inputs.entity, inputs.h, inputs.known_past, inputs.known, inputs.static),
    )  # fmt: skip
    before, after = (made.each(window, window.linear, 0.0) for window in (low, moved))
    assert torch.allclose(before[2:], after[2:], atol=1e-6)
    assert not torch.allclose(before[:2], after[:2], atol=1e-3)


def test_inputs_end_where_training_windows_end() -> None:
    made, window = correction(), framed()
    outside = [
        Framed(window.window, window.tokens, window.scale, window.outside + far, window.linear, window.inputs)
        for far in (50.0, 500.0)
    ]
    first, second = (made(some, some.linear) for some in outside)
    assert torch.equal(first, second)


def test_it_is_made_again_from_its_structure() -> None:
    made, window = correction(), framed()
    again = StepCorrection.like(made.structure(), SHAPE)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(window, window.linear), made(window, window.linear))

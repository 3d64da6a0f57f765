from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import N_ENTITIES, make_inputs, make_start

from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.table import make_head
from foretide.models.attention import AttentionBackbone
from foretide.models.backbone import Backbone
from foretide.models.config import AttentionConfig, LSTMConfig
from foretide.models.frame import Frame
from foretide.models.inputs import Labels, Shape
from foretide.models.lstm import LSTMBackbone
from foretide.models.start import LARGEST
from foretide.seeding import seeded_init, torch_generator
from foretide.training.means import reduce
from foretide.training.network import Network, bounded_weight

SHAPE = Shape(input_size=8, h=3, targets=2, channels=3, known=2)


def draw(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch_generator(0))


def build(kind: str, shape: Shape = SHAPE, head: str = "point") -> Network:
    with seeded_init(2):
        frame = Frame(make_start(shape), shape)
        backbone: Backbone
        if kind == "attention":
            backbone = AttentionBackbone(frame, shape, AttentionConfig(hidden=8, heads=2))
        else:
            backbone = LSTMBackbone(frame, shape, LSTMConfig(hidden=8))
        made = make_head(head, HeadShape(backbone.features, shape.targets, shape.h, N_ENTITIES))
        return Network(backbone, made, torch.arange(1.0, 1 + N_ENTITIES * shape.targets).view(N_ENTITIES, -1))


def test_reduce_is_a_mean_over_what_was_observed() -> None:
    rng = np.random.default_rng(0)
    elements, mask = rng.normal(size=(4, 3, 2)), rng.random((4, 3, 2)) < 0.6
    total = [elements[i] for i in np.ndindex(4, 3, 2) if mask[i]]
    got = reduce(torch.from_numpy(elements), torch.from_numpy(mask))
    assert float(got) == pytest.approx(np.mean(total))
    assert float(reduce(torch.from_numpy(elements), None)) == pytest.approx(elements.mean())
    assert float(reduce(torch.from_numpy(elements), torch.zeros(4, 3, 2, dtype=torch.bool))) == 0.0


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_what_was_not_observed_teaches_nothing(kind: str) -> None:
    network, inputs = build(kind), make_inputs(SHAPE)
    distribution, _ = network(inputs)
    y, observed = distribution.mean().detach() + 0.5 * draw(4, 3, 2), torch.ones(4, 3, 2, dtype=torch.bool)
    observed[1], observed[2, 1, 0] = False, False
    poisoned = torch.where(observed, y, 1e6)
    loss = network.loss(inputs, Labels(y, observed)).item()
    assert loss == network.loss(inputs, Labels(poisoned, observed)).item()
    errors = [float(distribution.loss(y)[i].detach()) for i in np.ndindex(4, 3, 2) if observed[i]]
    assert loss == pytest.approx(np.mean(errors), rel=1e-5)


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_groups(kind: str) -> None:
    network = build(kind)
    names = {id(p): n for n, p in network.named_parameters()}
    rest, start = network.groups(1e-3, 1e-4, 0.1)
    assert (rest["lr"], rest["weight_decay"]) == (1e-3, 0.1)
    assert (start["lr"], start["weight_decay"]) == (1e-4, 0.0)
    found = {names[id(p)] for p in start["params"]}
    frame = {f"backbone.frame.{n}" for n in ("waves", "known", "weights", "intercept")}
    assert found == frame | ({"backbone.bias", "backbone.gain"} if kind == "attention" else set())
    assert found | {names[id(p)] for p in rest["params"]} == set(names.values())
    assert len(network.groups(1e-3, 0.0, 0.1)) == 1  # a rate of zero leaves the start as it is


def test_empty_parameters_are_in_no_group() -> None:
    shape = Shape(input_size=8, h=3, targets=1, channels=1)
    start = build("lstm", shape).groups(1e-3, 1e-4, 0.0)[1]
    assert all(p.numel() for p in start["params"])
    assert len(start["params"]) == 3  # no known columns


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_every_parameter_learns(kind: str) -> None:
    # The head begins at zero, so a first step moves the head and the start, and a second one the rest.
    network, inputs = build(kind), make_inputs(SHAPE)
    y = draw(4, 3, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        network.loss(inputs, Labels(y)).backward()
        optimizer.step()
    optimizer.zero_grad()
    network.loss(inputs, Labels(y)).backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("head", ["point", "quantile"])
def test_the_lstm_reads_its_own_point_forecast(head: str) -> None:
    network, inputs = build("lstm", head=head), make_inputs(SHAPE)
    generator = torch.Generator().manual_seed(1)
    series = SeriesInfo(inputs.entity, network.unit[inputs.entity]) if network.unit is not None else None
    with torch.no_grad():
        network.head.linear.weight.normal_(generator=generator)  # type: ignore[union-attr,operator]
        distribution, traces = network(inputs)
        framed = network.backbone.frame(inputs)
        known = inputs.known
        assert known is not None
        _, state = network.backbone.encoder(torch.cat([framed.tokens, inputs.known_past], dim=2))  # type: ignore[operator]
        previous, forecasts = framed.tokens[:, -1, :2], []
        for k in range(SHAPE.h):
            token = torch.cat([previous, known[:, k]], dim=1)[:, None]
            features, state = network.backbone.decoder(token, state)  # type: ignore[operator]
            base = framed.outside[:, k] + framed.linear[:, k]
            forecasts.append(network.head(features[:, 0], base, framed.scale[:, 0], series).mean())
            previous = (forecasts[-1] - framed.outside[:, k]) / framed.scale[:, 0]
    assert traces == {}
    torch.testing.assert_close(distribution.mean(), torch.stack(forecasts, dim=1), atol=1e-5, rtol=1e-5)


def test_a_window_that_errs_too_much_counts_less() -> None:
    base, y = draw(5, 3, 2), draw(5, 3, 2) * torch.tensor([1.0, 1, 30, 1, 1000])[:, None, None]
    observed = torch.rand(5, 3, 2, generator=torch_generator(1)) < 0.7
    for mask in (None, observed):
        got = bounded_weight(base, Labels(y, mask))
        assert got.shape == (5, 1, 2)
        for b in range(5):
            for d in range(2):
                error = [float(y[b, k, d] - base[b, k, d]) if mask is None or mask[b, k, d] else 0.0 for k in range(3)]
                size = np.sqrt(np.mean(np.square(error)))
                assert float(got[b, 0, d]) == pytest.approx((LARGEST / max(size, LARGEST)) ** 2, rel=1e-4)
    assert bounded_weight(base, Labels(y)).min() < 0.01


def test_one_wild_window_is_not_all_that_is_learned() -> None:
    network, inputs = build("lstm"), make_inputs(SHAPE)
    y = network(inputs)[0].mean().detach() + 0.1
    y[1] += 1e4
    assert network.loss(inputs, Labels(y)).item() <= LARGEST**2
    network.loss(inputs, Labels(y)).backward()
    grads = [p.grad.abs().max().item() for p in network.parameters() if p.grad is not None]
    assert max(grads) < 100


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_the_head_is_told_whose_windows_it_sees(kind: str) -> None:
    network, inputs = build(kind, head="nb"), make_inputs(SHAPE)
    assert network.unit is not None
    distribution, _ = network(inputs)
    expected = torch.arange(1.0, 1 + N_ENTITIES * 2).view(N_ENTITIES, 2)[inputs.entity]
    assert torch.equal(distribution.unit[:, 0], expected)
    assert "unit" in network.state_dict()
    plain = build(kind)
    assert plain.unit is None
    assert "unit" not in plain.state_dict()
    torch.testing.assert_close(network.base(inputs), plain.base(inputs))


@pytest.mark.parametrize("kind", ["attention", "lstm"])
@pytest.mark.parametrize("head", ["gaussian", "student_t", "quantile", "poisson", "nb", "zinb", "delta"])
def test_every_parameter_of_every_head_learns(kind: str, head: str) -> None:
    network, inputs = build(kind, head=head), make_inputs(SHAPE)
    y = torch.poisson(2 * torch.rand(4, 3, 2, generator=torch_generator(0)), generator=torch_generator(1))
    if network.unit is not None:
        y = y / network.unit[inputs.entity][:, None]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss = network.loss(inputs, Labels(y))
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss)
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_a_likelihood_is_not_bounded_and_a_square_is() -> None:
    for head, bounded in (("nb", False), ("student_t", False), ("gaussian", True), ("point", True)):
        network, inputs = build("attention", head=head), make_inputs(SHAPE)
        y = torch.zeros(4, 3, 2)
        y[1] += 100.0
        loss = network.loss(inputs, Labels(y))
        distribution, _ = network(inputs)
        plain = distribution.loss(y).mean()
        assert (loss < 0.9 * plain) == bounded
        if not bounded:
            torch.testing.assert_close(loss, plain)


def test_a_head_of_series_needs_units() -> None:
    network = build("attention", head="nb")
    with pytest.raises(ValueError, match="a network needs their units"):
        Network(network.backbone, network.head)


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_take_over_leaves_the_start_and_what_has_another_shape(kind: str) -> None:
    from foretide.training.network import START_PARAMETERS

    network = build(kind)
    before = {k: v.detach().clone() for k, v in network.named_parameters()}
    former = {k: v.numpy() + 1.0 for k, v in before.items()}
    changed = next(k for k in former if k.startswith("head.") and former[k].ndim > 1)
    former[changed] = former[changed][:, :-1]
    taken = network.take_over(former)
    starts = {k for k in before if k.removeprefix("backbone.").startswith(START_PARAMETERS)}
    assert starts
    assert taken == len(before) - len(starts) - 1
    for name, value in network.named_parameters():
        moved = name not in starts and name != changed
        torch.testing.assert_close(value.detach(), before[name] + (1.0 if moved else 0.0))
    assert network.take_over({}) == 0

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foretide.errors import TrainingError
from foretide.models.inputs import Inputs, Labels
from foretide.seeding import seeded_init, torch_generator
from foretide.training.config import TrainingConfig
from foretide.training.fused.flat import clip_gradients
from foretide.training.learner import make_optimizer
from foretide.training.network_training import evaluate, train_network


class Toy(nn.Module):
    """``y = w x + b`` on windows of one value."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)
        self.register_buffer("calls", torch.zeros(()))

    def loss(self, inputs: Inputs, labels: Labels) -> Tensor:
        return (self.line(inputs.past[:, 0]) - labels.y[:, 0]).square().mean()


class Points:
    """Windows ``x -> y``; remembers which were asked for."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, chosen: Tensor) -> tuple[Inputs, Labels]:
        self.asked.append(chosen.tolist())
        zero = torch.zeros(len(chosen), dtype=torch.long)
        return Inputs(self.x[chosen, None, None], zero, zero, 1), Labels(self.y[chosen, None, None])

    def describe(self, chosen: Tensor) -> str:
        return f"series 'toy', windows {sorted(chosen.tolist())[:1]}"


def points(n: int = 40, seed: int = 0, slope: float = 2.0) -> Points:
    x = torch.randn(n, generator=torch_generator(seed))
    return Points(x, slope * x + 1.0)


def toy(seed: int = 0) -> Toy:
    with seeded_init(seed):
        return Toy()


def settings(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**{"epochs": 5, "batch_size": 8, "lr": 0.05, "ema": 0.0, "patience": 99, **changes})


def state(network: nn.Module) -> dict[str, np.ndarray]:
    return {k: v.detach().clone().numpy() for k, v in network.state_dict().items()}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[k], b[k]) for k in a)


class Recorded(Points):
    """Validation windows that note the state of the network they judge, and answer with losses told beforehand."""

    def __init__(self, network: nn.Module, losses: list[float]) -> None:
        super().__init__(torch.zeros(1), torch.zeros(1))
        self.losses, self.states = losses, []
        inner = network.loss

        def judged(module: nn.Module, inputs: Inputs, labels: Labels) -> Tensor:
            if module.training:
                return inner.__func__(module, inputs, labels)  # type: ignore[union-attr,no-any-return]
            self.states.append(state(module))
            return torch.tensor(self.losses[len(self.states) - 1])

        type(network).loss = judged  # type: ignore[method-assign]


@pytest.fixture
def toy_class() -> Any:
    """A class of its own, so that its loss can be replaced."""
    return type("TracedToy", (Toy,), {"loss": Toy.loss})


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize(
    ("losses", "best"),
    [([9.0, 3, 2, 5, 6, 7], 2), ([1.0, 3, 2, 5, 6, 7], 0), ([9.0, 8, 7, 6, 5, 4], 5), ([9.0, 3, 3, 3, 3, 3], 1)],
)
def test_the_best_validation_state_comes_back(toy_class: Any, losses: list[float], best: int, ema: float) -> None:
    # state_dict() hands out live tensors: a best state kept by reference is the last state.
    with seeded_init(0):
        network = toy_class()
    validation = Recorded(network, losses)
    history = train_network(network, points(), validation, settings(ema=ema), generator=torch_generator(0))
    assert history.best_epoch == best
    looks = 6 if best else 4  # a start that three looks did not beat
    assert len(validation.states) == looks
    assert [row["val_loss"] for row in history.epochs] == losses[:looks]
    assert same(state(network), validation.states[best])
    for a, b in itertools.combinations(validation.states, 2):
        assert not same(a, b)
    assert not network.training


@pytest.mark.parametrize(("patience", "epochs"), [(1, 2), (2, 3), (3, 6)])
def test_patience(toy_class: Any, patience: int, epochs: int) -> None:
    with seeded_init(0):
        network = toy_class()
    losses = [9.0, 3, 4, 5, 2, 3, 1]
    validation, config = Recorded(network, losses), settings(epochs=6, patience=patience)
    history = train_network(network, points(), validation, config, generator=torch_generator(0))
    assert len(history.epochs) - 1 == epochs
    assert history.best_epoch == int(np.argmin(losses[: epochs + 1]))


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_equal_to_a_bare_loop(ema: float) -> None:
    network, twin, config = toy(), toy(), settings(ema=ema, clip=0.5)
    data = points()
    history = train_network(network, data, None, config, generator=torch_generator(7))
    optimizer, generator = torch.optim.Adam(twin.parameters(), lr=0.05), torch_generator(7)
    average = copy.deepcopy(twin)
    for epoch in range(5):
        order = torch.randperm(40, generator=generator)
        losses = []
        for k in range(0, 40, 8):
            chosen = order[k : k + 8]
            optimizer.zero_grad()
            loss = (twin.line(data.x[chosen, None]) - data.y[chosen, None]).square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
            with torch.no_grad():
                for mean, live in zip(average.parameters(), twin.parameters(), strict=True):
                    mean.copy_(ema * mean + (1 - ema) * live)
        assert history.epochs[epoch + 1]["train_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    # Without validation windows the last state is kept: the average, or with ema=0 the weights themselves.
    expected = state(average) if ema else state(twin)
    for name, value in state(network).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4)
    assert history.best_epoch == 5


def test_every_window_once_an_epoch_in_an_order_of_its_own() -> None:
    data = points(20)
    train_network(toy(), data, None, settings(epochs=2, batch_size=8), generator=torch_generator(0))
    assert [len(batch) for batch in data.asked] == [8, 8, 4] * 2
    first, second = ([w for batch in data.asked[k : k + 3] for w in batch] for k in (0, 3))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert first != list(range(20))


def test_steps_per_epoch_samples_anew() -> None:
    data = points(100)
    train_network(toy(), data, None, settings(epochs=3, batch_size=8, steps_per_epoch=2), generator=torch_generator(0))
    assert [len(batch) for batch in data.asked] == [8] * 6
    epochs = [set(data.asked[k] + data.asked[k + 1]) for k in (0, 2, 4)]
    assert all(len(e) == 16 for e in epochs)
    assert len(set.union(*epochs)) > 16


def test_clip_equals_torch() -> None:
    for size in (0.01, 1.0, 100.0):
        a, b = toy(), toy()
        for network in (a, b):
            for p in network.parameters():
                p.grad = size * torch.ones_like(p)
        frozen = nn.Parameter(torch.zeros(2))
        clip_gradients([*a.parameters(), frozen], 1.0)
        nn.utils.clip_grad_norm_([*b.parameters(), frozen], 1.0)
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad)


def test_same_seed_same_bits() -> None:
    def fit(seed: int) -> dict[str, np.ndarray]:
        network = toy()
        train_network(network, points(), points(9, seed=5), settings(ema=0.9), generator=torch_generator(seed))
        return state(network)

    assert same(fit(1), fit(1))
    assert not same(fit(1), fit(2))


def test_no_epochs_keep_the_start() -> None:
    network = toy()
    before = state(network)
    history = train_network(network, points(), points(9), settings(epochs=0), generator=torch_generator(0))
    assert same(state(network), before)
    assert [row["epoch"] for row in history.epochs] == [0]
    assert np.isnan(history.epochs[0]["train_loss"])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("clip", [1.0, None])
def test_a_loss_that_is_not_finite(value: float, clip: float | None) -> None:
    data = points(20)
    data.y[13] = value
    with pytest.raises(
        TrainingError, match=r"The loss became (nan|inf) in epoch 1, batch \d of 3 \(series 'toy', windows \[\d+\]\)"
    ) as caught:
        train_network(toy(), data, None, settings(clip=clip), generator=torch_generator(0))
    batch = int(str(caught.value).partition("batch ")[2][0])
    assert 13 in data.asked[batch - 1]  # the first bad batch, not a later one that its weights have spoilt
    assert "Lower lr (now 0.05)" in str(caught.value)


def test_callback_and_seconds() -> None:
    seen: list[dict[str, Any]] = []
    history = train_network(toy(), points(), points(9), settings(), generator=torch_generator(0), on_epoch=seen.append)
    assert seen == history.epochs
    assert [row["epoch"] for row in seen] == [0, 1, 2, 3, 4, 5]
    seconds = [row["seconds"] for row in seen]
    assert seconds == sorted(seconds)
    assert seen[-1]["val_loss"] < seen[0]["val_loss"]


def test_groups_have_their_own_rates() -> None:
    network = toy()
    before = state(network)
    groups = [{"params": [network.line.weight], "lr": 0.05, "weight_decay": 0.0}]
    train_network(network, points(), None, settings(), groups=groups, generator=torch_generator(0))
    assert np.array_equal(state(network)["line.bias"], before["line.bias"])
    assert not np.array_equal(state(network)["line.weight"], before["line.weight"])


def test_weight_decay_is_decoupled() -> None:
    network = toy()
    groups = [{"params": list(network.parameters()), "lr": 0.1, "weight_decay": 0.5}]
    optimizer = make_optimizer(groups, settings(weight_decay=0.5))
    before = network.line.weight.detach().clone()
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(network.line.weight.detach(), before * (1 - 0.1 * 0.5))
    inside = make_optimizer(groups, settings(weight_decay=0.5, decoupled=False))
    inside.step()
    assert not torch.allclose(network.line.weight.detach(), before * (1 - 0.1 * 0.5) ** 2)
    assert inside.param_groups[0]["weight_decay"] == optimizer.param_groups[0]["weight_decay"]


class Masked(Points):
    """Some windows are not observed."""

    def batch(self, chosen: Tensor) -> tuple[Inputs, Labels]:
        inputs, labels = super().batch(chosen)
        return inputs, Labels(labels.y, (chosen % 3 != 0)[:, None, None])


def test_evaluate_is_a_mean_over_observed_elements() -> None:
    class MaskedToy(Toy):
        def loss(self, inputs: Inputs, labels: Labels) -> Tensor:
            error = (self.line(inputs.past[:, 0]) - labels.y[:, 0]).square()
            assert labels.observed is not None
            seen = labels.observed[:, 0]
            return (error * seen).sum() / seen.sum().clamp(min=1)

    with seeded_init(0):
        network = MaskedToy()
    data, source = points(20), points(20)
    masked = Masked(data.x, data.y)
    errors = [
        float((network.line(source.x[i : i + 1, None]) - source.y[i]).detach().square()) for i in range(20) if i % 3
    ]
    for batch_size in (1, 4, 256):
        assert evaluate(network, masked, batch_size) == pytest.approx(np.mean(errors), rel=1e-5)
    assert not network.training


class Shifted(Points):
    """Windows whose truth is the start's forecast plus a shift of some of them."""

    def __init__(self, network: Toy, n: int, shift: Tensor) -> None:
        x = torch.randn(n, generator=torch_generator(5))
        with torch.no_grad():
            super().__init__(x, network.line(x[:, None])[:, 0] + shift)


@pytest.mark.parametrize(("everywhere", "kept"), [(True, True), (False, False)])
def test_a_gain_within_its_own_noise_is_not_kept(everywhere: bool, kept: bool) -> None:
    network = toy()
    before = state(network)
    lone = torch.zeros(40)
    lone[3] = 3.0  # one stretch of ten gains, and the others lose nothing but a little
    validation = Shifted(network, 40, torch.full((40,), 1.0) if everywhere else lone)
    train = Shifted(network, 40, torch.full((40,), 1.0))
    history = train_network(
        network, train, validation, settings(epochs=3, lr=0.05 if everywhere else 1e-3), generator=torch_generator(0)
    )
    losses = [row["val_loss"] for row in history.epochs]
    assert min(losses[1:]) < losses[0]
    assert (history.best_epoch > 0) == kept
    assert same(before, state(network)) == (not kept)


def test_a_start_that_nothing_beats_ends_training_at_the_third_look() -> None:
    network = toy()
    train, validation = Shifted(network, 40, torch.ones(40)), Shifted(network, 40, torch.zeros(40))
    history = train_network(network, train, validation, settings(epochs=20, patience=9), generator=torch_generator(0))
    assert len(history.epochs) == 1 + 3
    assert history.best_epoch == 0
    network = toy()
    train_network(network, train, validation, settings(epochs=20, patience=None), generator=torch_generator(0))


def test_the_last_state_is_kept_without_validation_windows() -> None:
    network = toy()
    history = train_network(network, points(), None, settings(epochs=3), generator=torch_generator(0))
    assert history.best_epoch == 3

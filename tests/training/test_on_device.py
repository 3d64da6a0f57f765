"""A step on another device meets no tensor of the CPU: shown on tensors without values, so it needs no GPU."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tests.training.test_joined import before_training
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from foretide.heads.table import HEADS
from foretide.training import store
from foretide.training.fused.flat import clip_gradients
from foretide.training.network import Network

AWAY = torch.device("meta")
NETWORKS: dict[str, dict[str, Any]] = {"LSTM": {"hidden": 8}, "Attention": {"hidden": 8, "heads": 2}}


@pytest.fixture
def without_values() -> FakeTensorMode:
    """Tensors that know their device and no values; two devices in one operation are an error, as on a GPU."""
    mode = FakeTensorMode(
        allow_non_fake_inputs=True, shape_env=ShapeEnv(allow_scalar_outputs=True, allow_dynamic_output_shape_ops=True)
    )
    mode.allow_meta = True
    return mode


def step_away(mode: FakeTensorMode, network: Network, windows: Any) -> set[torch.device]:
    """Take one step on a device that is not the CPU; return where the gradients are."""
    network, windows = copy.deepcopy((network, windows))
    values = {name: parameter.detach() for name, parameter in network.named_parameters()}
    chosen = torch.arange(9)

    def away(value: torch.Tensor) -> torch.Tensor:
        return mode.from_tensor(value, static_shapes=True).to(AWAY)

    with mode, pytest.MonkeyPatch.context() as patch:
        for place, module in network.named_modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    value = away(values[f"{place}.{name}".lstrip(".")])
                    module._parameters[name] = torch.nn.Parameter(value, parameter.requires_grad)
            module._buffers.update({n: away(b) for n, b in module._buffers.items() if b is not None})
        for owner in (windows.store, windows):
            vars(owner).update({n: away(v) for n, v in vars(owner).items() if isinstance(v, torch.Tensor)})
        as_tensor = store.as_tensor
        patch.setattr(store, "as_tensor", lambda array: mode.from_tensor(as_tensor(array), static_shapes=True))
        # Where a head looks at values to end early, it goes on as in a graph for other programs.
        patch.setattr("torch.compiler.is_exporting", lambda: True)
        windows.store.device = AWAY
        windows._view()
        network.train()
        network.loss(*windows.batch(mode.from_tensor(chosen, static_shapes=True))).backward()  # type: ignore[no-untyped-call]
        moved = [parameter for parameter in network.parameters() if parameter.grad is not None]
        clip_gradients(moved, 1.0)
        return {parameter.grad.device for parameter in moved if parameter.grad is not None}


@pytest.mark.parametrize(("kind", "head"), [*(("LSTM", head) for head in HEADS), ("Attention", "quantile")])
def test_a_step_stays_on_its_device(kind: str, head: str, without_values: FakeTensorMode) -> None:
    options = {**NETWORKS[kind], "head": head, "fit_mean_first": False}
    network, (train, _), _ = before_training(kind, options, counts=HEADS[head].cls.counts)
    assert step_away(without_values, network, train) == {AWAY}


def test_a_tensor_of_the_cpu_would_be_noticed(without_values: FakeTensorMode) -> None:
    network, (train, _), _ = before_training("LSTM", {"hidden": 8, "head": "point", "fit_mean_first": False})
    here = torch.ones(4, 1)
    network.backbone.register_forward_hook(
        lambda _, __, found: type(found)(found.features, found.base * here, found.scale, found.traces)
    )
    with pytest.raises(RuntimeError, match="at least two devices"):
        step_away(without_values, network, train)

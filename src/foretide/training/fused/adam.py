"""Adam in PyTorch's fused kernel, without what ``torch.optim`` loads for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class FusedAdam:
    """Adam (Kingma & Ba 2015), or AdamW for decoupled decay (Loshchilov & Hutter 2019).

    The same bits as ``torch.optim.Adam`` and ``AdamW`` with ``fused=True``, whose kernel it calls (a test holds that).
    The first optimizer of PyTorch that a process makes loads its compiler, which takes a second.

    Parameters
    ----------
    groups : sequence of mapping
        ``params``, ``lr`` and ``weight_decay`` of parameters that are moved alike.
    decoupled : bool
        Whether decay shrinks the parameters themselves, not by way of the gradient.
    """

    FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, groups: Sequence[Mapping[str, Any]], *, decoupled: bool) -> None:
        self.param_groups = [dict(group) for group in groups]
        self.kernel = torch._fused_adamw_ if decoupled else torch._fused_adam_
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Of all groups."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters that have a gradient."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not moved:
                continue
            states = [self.state.get(parameter) or self._begun(parameter) for parameter in moved]
            means, squares, steps = ([one[name] for one in states] for name in ("exp_avg", "exp_avg_sq", "step"))
            torch._foreach_add_(steps, 1)
            self.kernel(
                moved, [parameter.grad for parameter in moved], means, squares, [], steps, amsgrad=False,
                lr=group["lr"], beta1=self.FIRST, beta2=self.SECOND, weight_decay=group["weight_decay"],
                eps=self.EPSILON, maximize=False,
            )  # fmt: skip

    def _begun(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        self.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter),
        }  # fmt: skip
        return self.state[parameter]

    def state_dict(self) -> dict[str, Any]:
        """Moments by the number of their parameter, as those of ``torch.optim``."""
        return {"state": {k: self.state[p] for k, p in enumerate(self.parameters) if p in self.state}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the moments of a :meth:`state_dict`."""
        parameters = self.parameters
        self.state = {
            parameters[k]: {name: value.to(parameters[k].device).clone() for name, value in one.items()}
            for k, one in state["state"].items()
        }

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
        self.moments: list[_Moments] = []

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
        self._begin()
        for group, moments in zip(self.param_groups, self.moments, strict=True):
            gradients = [parameter.grad for parameter in group["params"]]
            moved = [k for k, gradient in enumerate(gradients) if gradient is not None]
            if not moved:
                continue
            lists = [group["params"], gradients, moments.means, moments.squares, moments.steps]
            if len(moved) == len(gradients):
                moments.counts.add_(1.0)
            else:
                moments.counts[moved] += 1.0
                lists = [[one[k] for k in moved] for one in lists]
            parameters, gradients, means, squares, steps = lists
            self.kernel(
                parameters, gradients, means, squares, [], steps, amsgrad=False, lr=group["lr"], beta1=self.FIRST,
                beta2=self.SECOND, weight_decay=group["weight_decay"], eps=self.EPSILON, maximize=False,
            )  # fmt: skip

    def _begin(self) -> None:
        if not self.moments:
            self.moments = [_Moments(group["params"]) for group in self.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Moments by the number of their parameter, as those of ``torch.optim``."""
        every = [own for moments in self.moments for own in moments.each()]
        return {"state": {k: own for k, own in enumerate(every) if own["step"] > 0}}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the moments of a :meth:`state_dict`."""
        self.moments = []
        self._begin()
        every = [own for moments in self.moments for own in moments.each()]
        for k, one in state["state"].items():
            for name, value in one.items():
                every[k][name].copy_(value)


class _Moments:
    """Means and squares of the gradients of some parameters, laid out as these are, and how often each has moved."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.means, self.squares = ([torch.zeros_like(p, requires_grad=False) for p in parameters] for _ in range(2))
        # One tensor, so that one operation counts for all.
        device = parameters[0].device if parameters else None
        self.counts = torch.zeros(len(parameters), dtype=torch.float32, device=device)
        self.steps = list(self.counts.unbind())

    def each(self) -> list[dict[str, Tensor]]:
        """Those of each parameter, by the names of ``torch.optim``."""
        return [
            {"step": step, "exp_avg": mean, "exp_avg_sq": square}
            for step, mean, square in zip(self.steps, self.means, self.squares, strict=True)
        ]

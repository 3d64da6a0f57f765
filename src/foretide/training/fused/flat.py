"""Clipping and Adam on many small parameters: as one tensor, or in one call for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class Flat:
    """Makes parameters, and their gradients, views of one tensor for as long as they are trained.

    On a network of a few thousand weights in a dozen tensors this takes an eighth off a step. ``release`` gives each
    parameter a memory of its own again: files of weights refuse shared memory.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        All of one dtype and device.

    Attributes
    ----------
    whole : nn.Parameter
        What the optimizer gets, ``[total]``.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.whole = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in self.parameters]))
        self.gradient = torch.zeros_like(self.whole, requires_grad=False)
        self.whole.grad = self.gradient
        start, self.starts = 0, {}
        for parameter in self.parameters:
            part = slice(start, start + parameter.numel())
            self.starts[id(parameter)] = start
            parameter.data = self.whole.detach()[part].view_as(parameter)
            parameter.grad = self.gradient[part].view_as(parameter)
            start += parameter.numel()

    def joined(self, parameters: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor]:
        """Values and gradients, each as one flat view, of parameters that stand side by side in this order."""
        start = self.starts[id(parameters[0])]
        part = slice(start, start + sum(p.numel() for p in parameters))
        return self.whole.detach()[part], self.gradient[part]

    def backward(self, loss: Tensor) -> None:
        """Fill the gradients of ``loss``."""
        self.gradient.zero_()
        loss.backward()  # type: ignore[no-untyped-call]

    def clip(self, most: float) -> None:
        """Scale the gradients so that their joint norm is at most ``most``, as :func:`clip_gradients`."""
        if (length := float(torch.linalg.vector_norm(self.gradient))) > most:
            self.gradient.mul_(most / (length + 1e-6))

    def release(self) -> None:
        """Give every parameter its own memory again, without a gradient."""
        for parameter in self.parameters:
            parameter.data = parameter.detach().clone()
            parameter.grad = None


class FlatAdam:
    """Adam (Kingma & Ba 2015), with decoupled weight decay (Loshchilov & Hutter 2019), on a :class:`Flat`.

    The same numbers as ``torch.optim.Adam`` and ``AdamW`` (a test holds that). The first optimizer of PyTorch that a
    process makes loads its compiler, which takes a second: longer than a whole stage 1.

    Parameters
    ----------
    flat : Flat
    lr : float
    weight_decay : float
    """

    FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, flat: Flat, lr: float, weight_decay: float = 0.0) -> None:
        self.flat, self.lr, self.weight_decay, self.steps = flat, lr, weight_decay, 0
        self.mean, self.square, self.root = (torch.zeros_like(flat.gradient) for _ in range(3))

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by their gradients."""
        self.steps += 1
        whole, gradient = self.flat.whole, self.flat.gradient
        if self.weight_decay:
            whole.mul_(1 - self.lr * self.weight_decay)
        self.mean.lerp_(gradient, 1 - self.FIRST)
        self.square.mul_(self.SECOND).addcmul_(gradient, gradient, value=1 - self.SECOND)
        torch.sqrt(self.square, out=self.root)
        self.root.mul_((1 - self.SECOND**self.steps) ** -0.5).add_(self.EPSILON)
        whole.addcdiv_(self.mean, self.root, value=-self.lr / (1 - self.FIRST**self.steps))


def clip_gradients(parameters: Sequence[Tensor], most: float) -> None:
    """Scale all gradients so that their joint norm is at most ``most``.

    The same as ``torch.nn.utils.clip_grad_norm_`` (a test holds that) in half its time: all gradients of a network
    share device and dtype, so nothing has to be grouped. On a small network that is a tenth of a step.

    Parameters
    ----------
    parameters : sequence of Tensor
        Those without a gradient are left alone.
    most : float
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if norm.device.type == "cpu":  # on a GPU the look would cost more than it saves
        if (length := float(norm)) > most:
            torch._foreach_mul_(gradients, most / (length + 1e-6))
        return
    torch._foreach_mul_(gradients, (most / (norm + 1e-6)).clamp(max=1.0))

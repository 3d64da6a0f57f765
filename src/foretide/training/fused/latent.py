"""The gradient of stage 1 written out, for the usual case: a linear VAR, one stretch of cutoffs, all weights learn.

:meth:`LatentModel.stage1_loss` defines the loss, and a test holds both together. On matrices this small a step is
nothing but the cost of starting operations and of recording them; here nothing is recorded, all memory and all views
are made once, and a step starts 80 operations. It takes a quarter of the time that autograd needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foretide.models.autoencoder import MLP
from foretide.models.dynamics import VAR, doublings
from foretide.models.latent import LatentModel
from foretide.training.fused.flat import Flat


def written_out(model: LatentModel, learning: Sequence[nn.Parameter]) -> bool:
    """Whether this module knows the gradient of such a model."""
    var = isinstance(model.dynamics, VAR) and not model.dynamics.stable
    return var and len(learning) == len(list(model.parameters()))


class Stage1Step:
    """Loss of one stretch of ``m`` cutoffs, and its gradient put into ``parameter.grad``.

    Every parameter must have a gradient tensor, and neither it nor the parameter's memory may be replaced while this
    object is in use (:class:`foretide.training.fused.flat.Flat` sees to both).

    Parameters
    ----------
    model : LatentModel
    m : int
        Cutoffs of a stretch; memory grows with its square.
    """

    def __init__(self, model: LatentModel, m: int) -> None:
        config = model.config
        p, k, h, c = config.order, config.latent, model.h, model.channels
        like = next(model.parameters()).detach()
        n = m + p + h
        self.now = slice(p, p + m)
        self.encoder = _Layers(model.autoencoder.encoder, n)
        self.decoder = _Layers(model.autoencoder.decoder, m)
        assert isinstance(model.dynamics, VAR)
        self.powers = _Powers(model.dynamics, h)
        self.z_now, self.grad_z_now = self.encoder.out[self.now], self.encoder.grad_out[self.now]
        # Windows of p + H states, one per row.
        wide = (p + h) * k
        self.slid = self.encoder.out.as_strided((m + 1, wide), (k, 1))
        self.windows = like.new_empty(m + 1, wide)
        self.last, self.truth = self.windows[:, : p * k], self.windows[:, p * k :]
        self.error, self.pull = like.new_empty(m + 1, h * k), like.new_empty(m + 1, h * k)
        # Twice the weight of each squared error in the loss: the first cutoff has no rollout of its own, the last
        # window no one-step error.
        self.twice = like.new_zeros(m + 1, h * k)
        if config.multi_step:
            self.twice[1:] = 2 * config.dynamics_weight / (m * h * k)
        self.twice[:-1, :k] += 2 * config.dynamics_weight / (m * k)
        # Gradients of the windows, each row written k places further right, so that a sum down the columns adds what
        # belongs to one state. What is never written stays zero.
        shifted = like.new_zeros(m + 1, n * k)
        skewed = shifted.as_strided((m + 1, wide), ((n + 1) * k, 1))
        self.shifted, self.grad_last, self.grad_truth = shifted, skewed[:, : p * k], skewed[:, p * k :]
        self.grad_z = self.encoder.grad_out.view(-1)
        self.miss = like.new_empty(m, c)
        self.recon = config.recon_weight / (m * c)

    @torch.no_grad()
    def __call__(self, rows: Tensor, ready: Tensor) -> Tensor:
        """Covariates ``[m + p + H, C]``, as they are and as the encoder gets them -> the loss, a scalar."""
        self.encoder.forward(ready)
        self.decoder.forward(self.z_now)
        self.powers.forward()
        torch.sub(self.decoder.out, rows[self.now], out=self.miss)
        self.windows.copy_(self.slid)
        torch.addmm(self.powers.offset, self.last, self.powers.phi_t, out=self.error)
        self.error.sub_(self.truth)
        torch.mul(self.error, self.twice, out=self.pull)
        loss = torch.dot(self.miss.view(-1), self.miss.view(-1)).mul_(self.recon)
        loss.add_(torch.dot(self.error.view(-1), self.pull.view(-1)), alpha=0.5)
        # Backwards.
        torch.mm(self.pull.t(), self.last, out=self.powers.grad_phi)
        torch.sum(self.pull, 0, out=self.powers.grad_offset)
        self.powers.backward()
        torch.mm(self.pull, self.powers.phi, out=self.grad_last)
        torch.neg(self.pull, out=self.grad_truth)
        torch.sum(self.shifted, 0, out=self.grad_z)
        torch.mul(self.miss, 2 * self.recon, out=self.decoder.grad_out)
        self.grad_z_now.add_(self.decoder.backward(self.z_now, to_input=True))
        self.encoder.backward(ready, to_input=False)
        return loss


class _Layers:
    """Forward and backward pass of an MLP on ``n`` rows."""

    def __init__(self, mlp: MLP, n: int) -> None:
        layers = mlp.linears
        self.weights = [layer.weight.detach() for layer in layers]
        self.turned = [weight.t() for weight in self.weights]
        self.biases = [layer.bias.detach() for layer in layers]
        self.grad_weights, self.grad_biases = [_grad(la.weight) for la in layers], [_grad(la.bias) for la in layers]
        self.values = [bias.new_empty(n, len(bias)) for bias in self.biases]
        self.grads = [bias.new_empty(n, len(bias)) for bias in self.biases]
        self.grads_turned = [grad.t() for grad in self.grads]
        self.grad_input = self.weights[0].new_empty(n, self.weights[0].shape[1])
        self.out, self.grad_out = self.values[-1], self.grads[-1]

    def forward(self, x: Tensor) -> None:
        for number, value in enumerate(self.values):
            torch.addmm(self.biases[number], x, self.turned[number], out=value)
            x = value if value is self.out else value.relu_()

    def backward(self, x: Tensor, to_input: bool) -> Tensor:
        """From ``grad_out``; uses the forward pass's values up."""
        for number in range(len(self.values) - 1, -1, -1):
            before = self.values[number - 1] if number else x
            torch.mm(self.grads_turned[number], before, out=self.grad_weights[number])
            torch.sum(self.grads[number], 0, out=self.grad_biases[number])
            if number:
                torch.mm(self.grads[number], self.weights[number], out=self.grads[number - 1])
                self.grads[number - 1].mul_(before.sign_())  # 1 where the ReLU let through, else 0
        if to_input:
            torch.mm(self.grads[0], self.weights[0], out=self.grad_input)
        return self.grad_input


class _Powers:
    """Forward and backward pass of :meth:`VAR.powers`."""

    def __init__(self, var: VAR, h: int) -> None:
        weight, bias = var.weight.detach(), var.bias.detach()
        k, size = weight.shape
        rows, grad_rows = weight.new_zeros(2, size + h * k, size + 1)
        rows[:size, :size].fill_diagonal_(1.0)
        both, grad = rows[size:], grad_rows[size:]
        self.phi, self.offset = both[:, :size], both[:, size]
        self.phi_t = self.phi.t()
        self.grad_phi, self.grad_offset = grad[:, :size], grad[:, size]
        self.begin = [(self.phi[:k], weight), (self.offset[:k], bias)]
        self.end = [(_grad(var.weight), self.grad_phi[:k]), (_grad(var.bias), self.grad_offset[:k])]
        self.ups, self.downs = [], []
        for done, count in doublings(h):
            low, new = done * k, count * k
            block, made = rows[low : low + size], slice(low, low + new)
            self.ups.append((self.phi[:new], block, both[made], self.offset[:new], self.offset[made]))
            # The rows of the identity need no gradient: the first of the block's rows that does is `first`.
            first = max(low, size)
            inside = self.phi[:new, first - low :].t()
            self.downs.append((
                self.grad_phi[:new], grad[made], block.t(), self.grad_offset[:new], self.grad_offset[made],
                grad_rows[first : low + size], inside,
            ))  # fmt: skip
        self.downs.reverse()

    def forward(self) -> None:
        for target, source in self.begin:
            target.copy_(source)
        for phi, block, made, offset, offset_made in self.ups:
            torch.mm(phi, block, out=made)
            offset_made.add_(offset)

    def backward(self) -> None:
        for grad_phi, grad_made, block_t, grad_offset, grad_offset_made, grad_block, inside in self.downs:
            grad_phi.addmm_(grad_made, block_t)
            grad_offset.add_(grad_offset_made)
            grad_block.addmm_(inside, grad_made)
        for target, source in self.end:
            target.copy_(source)


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


class Stage1Gradient:
    """Loss and gradient of a batch: written out where that is known and pays, by autograd elsewhere.

    The loss of a batch of several stretches is the mean of theirs, weighted by their numbers of cutoffs, and so is its
    gradient; so few stretches are done one after the other.

    Parameters
    ----------
    model : LatentModel
    flat : Flat
        Holds the parameters that learn.
    """

    MOST_STRETCHES, MOST_VALUES = 3, 8_000_000

    def __init__(self, model: LatentModel, flat: Flat) -> None:
        self.model, self.flat = model, flat
        self.known = written_out(model, flat.parameters)
        self.steps: dict[int, Stage1Step] = {}
        self.values = 0
        self.total = torch.zeros_like(flat.gradient)

    def __call__(self, rows: Sequence[Tensor], ready: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
        """Rows of each stretch, as they are and as the encoder gets them -> the loss; fills ``flat.gradient``."""
        steps = [self._step(m) for m in counts] if self.known and len(counts) <= self.MOST_STRETCHES else [None]
        if any(step is None for step in steps):
            loss = self.model.stage1_loss(_joined(rows), counts, _joined(ready))
            self.flat.backward(loss)
            return loss.detach()
        losses = []
        self.total.zero_()
        for step, x, inputs, m in zip(steps, rows, ready, counts, strict=True):
            assert step is not None
            share = m / sum(counts)
            losses.append(step(x, inputs) * share)
            if len(counts) > 1:
                self.total.add_(self.flat.gradient, alpha=share)
        if len(counts) > 1:
            self.flat.gradient.copy_(self.total)
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _step(self, m: int) -> Stage1Step | None:
        """The workspace of a number of cutoffs, as long as there is room for it."""
        if m not in self.steps:
            size = (m + 1) * (m + self.model.surplus) * self.model.config.latent
            if self.values + size > self.MOST_VALUES:
                return None
            self.steps[m] = Stage1Step(self.model, m)
            self.values += size
        return self.steps[m]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))

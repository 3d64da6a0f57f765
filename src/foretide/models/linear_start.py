"""LAVAR's latent part starts at a closed-form solution: principal components and a ridge VAR of their scores.

A ReLU network passes a number through as ``relu(s) - relu(-s)``, so an encoder and a decoder whose hidden layers hold
two units per component begin exactly at principal component analysis; their other units begin at random with no
weight on the output, and learn what is not linear.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foretide.models.autoencoder import MLP
from foretide.models.dynamics import VAR
from foretide.models.latent import LatentModel

RIDGE = 1e-3
"""Penalty of the VAR, as a share of the mean diagonal of its Gram matrix."""
LEAST = 1e-6


@torch.no_grad()
def start_linear(model: LatentModel, x: Tensor, segments: Sequence[tuple[int, int]]) -> None:
    """Put a model at principal components of some rows and the ridge VAR of their scores.

    Parameters
    ----------
    model : LatentModel
        Changed in place. Components beyond what the narrowest hidden layer can pass (half its width) stay random; so
        do dynamics other than a VAR that need not be stable.
    x : float tensor ``[R, C]``
        Scaled covariates.
    segments : sequence of (first row, last row + 1)
        Rows to learn from, neighbouring in time within each segment.
    """
    rows = torch.cat([x[low:high] for low, high in segments]).double()
    mean = rows.mean(dim=0)
    _, singular, components = torch.linalg.svd(rows - mean, full_matrices=False)
    sd = singular / max(len(rows) - 1, 1) ** 0.5
    config = model.config
    k = min(config.latent, len(sd), *(width // 2 for width in (*config.encoder, *config.decoder)))
    k = int((sd[:k] > LEAST * sd[0].clamp(min=1e-12)).sum())
    if k == 0:
        return
    scores = components[:k] / sd[:k, None]
    _pass_through(model.autoencoder.encoder, scores, -(scores @ mean))
    _pass_through(
        model.autoencoder.decoder, torch.eye(k).double(), torch.zeros(k).double(), (components[:k].T * sd[:k], mean)
    )
    if isinstance(model.dynamics, VAR) and not config.stable:
        _fit_var(model, x, segments)


def _pass_through(network: MLP, weight: Tensor, bias: Tensor, out: tuple[Tensor, Tensor] | None = None) -> None:
    """Let the first units carry ``s = weight x + bias`` to the last layer; give ``s`` or its image by ``out``."""
    k = len(weight)
    layers = network.linears
    last = layers[-1]
    if len(layers) == 1:
        matrix, offset = (weight, bias) if out is None else (out[0] @ weight, out[0] @ bias + out[1])
        last.weight.zero_()
        last.weight[: len(matrix), : matrix.shape[1]] = matrix.to(last.weight)
        last.bias.zero_()
        last.bias[: len(offset)] = offset.to(last.bias)
        return
    _fill(layers[0], torch.cat([weight, -weight]), torch.cat([bias, -bias]))
    swap = torch.cat([torch.eye(k), -torch.eye(k)], dim=1)
    for layer in layers[1:-1]:
        _fill(layer, torch.cat([swap, -swap]), torch.zeros(2 * k))
    matrix, offset = (torch.eye(k).double(), torch.zeros(k).double()) if out is None else out
    last.weight[: len(matrix)].zero_()
    last.weight[: len(matrix), : 2 * k] = torch.cat([matrix, -matrix], dim=1).to(last.weight)
    last.bias[: len(matrix)] = offset.to(last.bias)


def _fill(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Set the first rows of a layer; whatever else fed them is cut off."""
    layer.weight[: len(weight)].zero_()
    layer.weight[: len(weight), : weight.shape[1]] = weight.to(layer.weight)
    layer.bias[: len(bias)] = bias.to(layer.bias)


def _fit_var(model: LatentModel, x: Tensor, segments: Sequence[tuple[int, int]]) -> None:
    p, k = model.config.order, model.config.latent
    gram, moment = torch.zeros(p * k + 1, p * k + 1).double(), torch.zeros(p * k + 1, k).double()
    for low, high in segments:
        z = model.encode(x[low:high]).double()
        if len(z) <= p:
            continue
        # Newest lag first, then the constant.
        lagged = torch.cat([z[p - 1 - i : len(z) - 1 - i] for i in range(p)] + [z.new_ones(len(z) - p, 1)], dim=1)
        gram += lagged.T @ lagged
        moment += lagged.T @ z[p:]
    if gram[-1, -1] == 0:
        return
    penalty = RIDGE * gram.diagonal()[:-1].mean().clamp(min=1e-12)
    gram.diagonal()[:-1].add_(penalty)
    solved = torch.linalg.solve(gram, moment)
    assert isinstance(model.dynamics, VAR)
    a = solved[:-1].reshape(p, k, k).transpose(1, 2)
    model.dynamics.set_coefficients(a.float().contiguous(), solved[-1].float())

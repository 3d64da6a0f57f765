"""Coefficients of a vector autoregression that is stationary for any parameter values."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_FIRST, MOST_LATER = 20.0, 5.0
"""Bounds on the size of the unconstrained matrices: partial autocorrelations stay below 0.9988 and 0.981."""
SHRINK = 0.999
"""Every root is moved inwards by this factor, so that rounding cannot carry one over the unit circle."""


def stationary_coefficients(free: Tensor) -> Tensor:
    """Unconstrained matrices -> coefficients of a stationary VAR, both ``[p, k, k]``, newest lag first, in float64.

    Each matrix ``F`` becomes a partial autocorrelation matrix ``P = B^-1 F`` with ``B B' = I + F F'``, whose singular
    values are below one; the Levinson-Whittle recursion turns the sequence of them into coefficients (Ansley & Kohn
    1986; Heaps 2023, "Enforcing stationarity through the prior in vector autoregressions"). The process begins with
    the identity as its covariance: another covariance is another basis of the latent state, which the encoder chooses.

    The square roots of the forward and backward innovation covariances are carried as products of the factors
    ``B`` and ``C`` (``C C' = I + F' F``), so nothing is factorised inside the recursion: ``I - P P' = B^-1 B^-T`` and
    ``I - P' P = C^-T C^-1``. All in float64, because close roots are the square root, cube root, ... of a rounding away
    from where they should be; for the same reason the result must be raised to powers before it is rounded.

    Parameters
    ----------
    free : float tensor ``[p, k, k]``
        ``F_1 .. F_p``; zero gives coefficients of zero.
    """
    f = _bounded(free.double())
    p, k = f.shape[0], f.shape[1]
    eye = torch.eye(k, dtype=f.dtype, device=f.device)
    b, c = torch.linalg.cholesky(torch.stack([eye + f @ f.mT, eye + f.mT @ f]))
    b_inverse, c_inverse = torch.linalg.solve_triangular(torch.stack([b, c]), eye.expand(2, p, k, k), upper=False)
    partial = b_inverse @ f
    root = back_root = inverse = back_inverse = eye
    forward = backward = f[:0]
    for s in range(p):
        new = root @ partial[s] @ back_inverse
        back_new = back_root @ partial[s].mT @ inverse
        forward, backward = (
            torch.cat([forward - new @ backward.flip(0), new[None]]),
            torch.cat([backward - back_new @ forward.flip(0), back_new[None]]),
        )
        root, inverse = root @ b_inverse[s], b[s] @ inverse
        back_root, back_inverse = back_root @ c_inverse[s].mT, c[s].mT @ back_inverse
    powers = SHRINK ** torch.arange(1, p + 1, dtype=f.dtype, device=f.device)
    return forward * powers[:, None, None]


def persistent_start(order: int, latent: int, persistence: float = 0.97) -> Tensor:
    """Unconstrained matrices whose coefficients are ``persistence`` times the identity and zeros."""
    wanted = persistence / SHRINK
    size = wanted / (1 - wanted**2) ** 0.5
    inside = size / (1 - (size / MOST_FIRST) ** 2) ** 0.5
    free = torch.zeros(order, latent, latent)
    free[0] = inside * torch.eye(latent)
    return free


def _bounded(f: Tensor) -> Tensor:
    """Shrink each matrix smoothly so that its largest singular value stays below the bound.

    The geometric mean of the largest row sum and the largest column sum is never below the largest singular value.
    """
    most = torch.full((len(f), 1, 1), MOST_LATER, dtype=f.dtype, device=f.device)
    most[:1] = MOST_FIRST
    size = f.abs()
    squared = size.sum(1).amax(1) * size.sum(2).amax(1)
    return f * most * torch.rsqrt(most.square() + squared[:, None, None])

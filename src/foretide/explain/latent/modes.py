"""What a linear recursion does: eigenvalues, responses to shocks, shares of the forecast error's variance (numpy)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foretide.errors import ConfigError, nearest
from foretide.typing import Floats

Complexes = NDArray[np.complex128]

SHOCKS = ("cholesky", "generalised")
ROUNDING = 1e-9
"""Imaginary parts below this share of the modulus are rounding."""


def companion_of(coefficients: Floats) -> Floats:
    """Companion matrix ``[p K, p K]`` of coefficients ``[p, K, K]``, newest lag first."""
    p, k = coefficients.shape[:2]
    whole = np.zeros((p * k, p * k))
    whole[:k] = coefficients.transpose(1, 0, 2).reshape(k, p * k)
    whole[k:, :-k] = np.eye((p - 1) * k)
    return whole


def eigenvalues_of(companion: Floats) -> Complexes:
    """Eigenvalues, largest modulus first; of a conjugate pair the one above the real line first."""
    values = np.linalg.eigvals(companion).astype(np.complex128)
    return np.asarray(values[np.lexsort((-values.imag, -values.real, -np.round(np.abs(values), 12)))])


def mode_table(eigenvalues: Complexes) -> pd.DataFrame:
    """One row per eigenvalue: ``real, imag, modulus, half_life, period, explosive``.

    ``half_life`` is ``log(1/2) / log(modulus)`` steps, infinite from a modulus of one on; ``period`` is
    ``2 pi / |angle|`` steps, infinite for positive real eigenvalues and 2 for negative ones.
    """
    modulus = np.abs(eigenvalues)
    angle = np.abs(np.angle(eigenvalues))
    flat = (np.abs(eigenvalues.imag) <= ROUNDING * modulus) & (eigenvalues.real >= 0)
    inside = (modulus > 0) & (modulus < 1)
    decay = np.log(0.5) / np.log(np.where(inside, modulus, 0.5))
    half_life = np.where(inside, decay, np.where(modulus > 0, np.inf, 0.0))
    period = np.where(flat, np.inf, 2 * np.pi / np.where(flat, 1.0, angle))
    return pd.DataFrame({
        "real": eigenvalues.real, "imag": eigenvalues.imag, "modulus": modulus,
        "half_life": half_life, "period": period, "explosive": modulus >= 1,
    })  # fmt: skip


def impact_of(covariance: Floats, shocks: str = "cholesky", order: Sequence[int] | None = None) -> Floats:
    """What a shock of one standard deviation moves at once, ``[K, K]``: column ``j`` belongs to shock ``j``.

    Parameters
    ----------
    covariance : ``[K, K]``
        Of the one-step errors.
    shocks : {"cholesky", "generalised"}
        ``"cholesky"``: uncorrelated shocks; a variable moves at once with its own shock and those of variables before
        it in ``order`` (Lütkepohl 2005, section 2.3.2). ``"generalised"``: the expected errors of all variables given
        one standard deviation in one (Pesaran & Shin 1998); no order, but the shocks are correlated.
    order : sequence of int, optional
        Positions of the variables; as they stand by default.
    """
    k = len(covariance)
    if shocks not in SHOCKS:
        raise ConfigError(f"shocks is 'cholesky' or 'generalised', got {shocks!r}. {nearest(shocks, SHOCKS)}")
    if shocks == "generalised":
        if order is not None:
            raise ConfigError("Generalised shocks have no order. Leave order out, or type shocks='cholesky'.")
        sd = np.sqrt(np.diag(covariance))
        return np.asarray(covariance / np.where(sd > 0, sd, 1.0))
    chosen = np.arange(k) if order is None else np.asarray(order, dtype=np.int64)
    if sorted(chosen.tolist()) != list(range(k)):
        raise ConfigError(f"order names each of the {k} latents once, from 0 to {k - 1}; got {list(chosen)}.")
    root = _lower(covariance[np.ix_(chosen, chosen)])
    out = np.zeros((k, k))
    out[np.ix_(chosen, chosen)] = root
    return out


def _lower(covariance: Floats) -> Floats:
    """Cholesky factor, of a singular covariance too: a variable without an error of its own has no shock."""
    k = len(covariance)
    out = np.zeros((k, k))
    for j in range(k):
        left = covariance[j:, j] - out[j:, :j] @ out[j, :j]
        if left[0] > ROUNDING * max(float(covariance[j, j]), 1e-300):
            out[j:, j] = left / np.sqrt(left[0])
    return out


def state_responses(companion: Floats, impact: Floats, h: int) -> Floats:
    """Response of the state to each shock ``[h, K, J]``, at the step of the shock and the ``h - 1`` after it."""
    k = len(impact)
    out = np.empty((h, k, impact.shape[1]))
    moved = np.zeros((len(companion), impact.shape[1]))
    moved[:k] = impact
    for step in range(h):
        out[step] = moved[:k]
        moved = companion @ moved
    return out


def variance_shares(responses: Floats) -> Floats:
    """Share of each shock in the variance of the forecast error, ``[h, V, J]`` from responses of the same shape.

    Entry ``s`` is of the error ``s + 1`` steps ahead, to which the shocks of all these steps add up. Shares sum to one
    over shocks (those of correlated, generalised shocks are scaled to: Diebold & Yilmaz 2012); NaN where nothing moves.
    """
    total = np.cumsum(responses**2, axis=0)
    whole = total.sum(axis=2, keepdims=True)
    return np.asarray(np.where(whole > 0, total / np.where(whole > 0, whole, 1.0), np.nan))

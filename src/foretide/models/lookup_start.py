"""Where a look-up pays, found in one pass over training windows: gradient descent alone would wait for luck.

While a head looks everywhere, what it copies says next to nothing, and so neither its gate nor its scores get a
gradient worth following. So candidates are tried in closed form: for each column, its high or its low values as the
mark, and each place beside it as what is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from foretide.models.lookup import REACH, Clue

STRENGTHS = (2.0, 8.0)
"""Scores of one standard deviation of a column."""
MOST_TARGETS = 8
"""Of more targets these many stand for all."""
MOST_SOURCES = 8
MOST_WORK = 3e9
"""Multiplications; windows, then columns, are thinned out until they are no more."""
BLOCK = 16
"""Neighbouring windows share their values, so they are halved in blocks."""
SURE = 4.0
"""A clue found on one half of the windows has to help on the other by so many standard errors ..."""
WORTH = 0.01
"""... and by this share of the squared error."""


@dataclass(frozen=True, eq=False, slots=True)
class Evidence:
    """Training windows, as far as a clue is judged by them.

    Attributes
    ----------
    seen : float tensor ``[B, F, L]``
        What the head reads.
    window : float tensor ``[B, C, L]``
        Channels inside the frame, the targets first.
    linear : float tensor ``[B, H, D]``
        Forecast of the start inside the frame.
    rest : float tensor ``[B, H, D]``
        What it leaves of the truth; 0 where that is not known.
    gates : float tensor ``[B, H, K]``
        What a gate may depend on: one, and the known-future columns.
    """

    seen: Tensor
    window: Tensor
    linear: Tensor
    rest: Tensor
    gates: Tensor

    def __getitem__(self, chosen: Tensor | slice) -> Evidence:
        """Return some of the windows."""
        parts = (self.seen, self.window, self.linear, self.rest, self.gates)
        return Evidence(*(part[chosen] for part in parts))


def find_clue(found: Evidence) -> Clue | None:
    """Return the clue that helps most on one half of the windows, if it helps on the other.

    Parameters
    ----------
    found : Evidence

    Returns
    -------
    Clue or None
    """
    found = _thinned(found)
    block = torch.arange(len(found.seen), device=found.seen.device) // BLOCK % 2
    first, second = found[block == 0], found[block == 1]
    if not len(second.seen):
        return None
    best, chosen = 0.0, None
    for clues, copies in _candidates(first):
        gain, factor, gate = _gains(first, copies)
        top = int(gain.argmax())
        if float(gain[top]) > best:
            best, chosen = float(gain[top]), (clues[top], float(factor[top]), int(gate[top]))
    if chosen is None:
        return None
    clue, by, gate = chosen
    return clue if _holds(second, clue, by, gate) else None


def _thinned(found: Evidence) -> Evidence:
    b, f, size = found.seen.shape
    columns = _n_copied(found) * (2 * REACH + 1)
    work = f * 2 * len(STRENGTHS) * 4 * size * (columns + 10)
    stride = max(1, int(-(-b * work // MOST_WORK)))
    return found[torch.arange(0, b, stride, device=found.seen.device)]


def _n_copied(found: Evidence) -> int:
    d = found.linear.shape[2]
    return min(found.window.shape[1], MOST_SOURCES) if d == 1 else min(d, MOST_TARGETS)


def _lag_scores(size: int, like: Tensor) -> Tensor:
    """Scores of the lags ``[4, L]``: no matter which, the newest first (three ways, slow to fast)."""
    lag = torch.arange(size - 1, -1, -1, dtype=like.dtype, device=like.device)
    return torch.stack([0.0 * lag, -0.15 * lag, -0.5 * lag, -4.0 * lag.log1p()])


def _candidates(found: Evidence) -> Iterator[tuple[list[Clue], Tensor]]:
    """Clues on one column at a time, and the copies ``[B, clues, D]`` they would make."""
    b, f, size = found.seen.shape
    d, n = found.linear.shape[2], _n_copied(found)
    sources = [None] if d > 1 else [None, *range(1, n)]
    around = F.pad(found.window[:, : max(n, d)], (REACH, REACH)).unfold(2, size, 1)  # [B, C, 2 REACH + 1, L]
    around = around.flatten(1, 2).transpose(1, 2)
    by_lag = _lag_scores(size, found.seen)
    spread = found.seen.std(dim=(0, 2))
    for column in range(f):
        if float(spread[column]) < 1e-6:
            continue
        strengths = [sign * s / float(spread[column]) for s in STRENGTHS for sign in (1.0, -1.0)]
        mark = found.seen[:, column, None, None] * found.seen.new_tensor(strengths)[:, None, None]
        weights = torch.softmax(mark + by_lag, dim=3).flatten(1, 2)
        copies = (weights @ around).view(b, len(strengths) * len(by_lag), -1, 2 * REACH + 1)
        clues = [
            Clue(column, strength, offset, lags, source)
            for strength in strengths for lags in by_lag for source in sources
            for offset in range(-REACH, REACH + 1)
        ]  # fmt: skip
        if d == 1:
            yield clues, copies.flatten(1)[..., None]
        else:
            yield clues, copies.permute(0, 1, 3, 2).flatten(1, 2)


def _gains(found: Evidence, copies: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squared error that each of ``copies`` ``[B, J, D]`` saves, by which factor, and behind which gate: ``[J]``.

    The change is ``factor x gate x (copy - start)``; all sums over windows are matrix products.
    """
    gates, linear, known = found.gates, found.linear, (found.rest != 0).to(found.rest.dtype)
    rest = torch.einsum("bhd,bhk->bdk", found.rest, gates)
    square = torch.einsum("bhk,bhd->bdk", gates.square(), known)
    mixed = torch.einsum("bhk,bhd->bdk", gates.square(), known * linear)
    far = torch.einsum("bhk,bhd->k", gates.square(), known * linear.square())
    off = torch.einsum("bhd,bhk->k", found.rest * linear, gates)
    copies = copies.transpose(0, 1).flatten(1)  # [J, B D]
    along = copies @ rest.flatten(0, 1) - off
    size = copies.square() @ square.flatten(0, 1) - 2.0 * copies @ mixed.flatten(0, 1) + far
    factor = along / size.clamp(min=1e-9)
    gain, gate = (along * factor).max(dim=1)
    return gain, factor.gather(1, gate[:, None])[:, 0], gate


def _holds(found: Evidence, clue: Clue, factor: float, gate: int) -> bool:
    """Whether the clue helps on windows it was not found on."""
    window = found.window[:, : found.linear.shape[2]] if clue.source is None else found.window[:, [clue.source]]
    score = torch.roll(found.seen[:, clue.column], clue.offset, dims=1) * clue.strength + clue.by_lag
    copied = (torch.softmax(score, dim=1)[:, None] * window).sum(dim=2)
    change = factor * found.gates[..., gate, None] * (copied[:, None] - found.linear) * (found.rest != 0)
    gain = (found.rest.square() - (found.rest - change).square()).sum(dim=(1, 2))
    error = float(found.rest.square().sum())
    sure = float(gain.mean()) > SURE * float(gain.std()) / len(gain) ** 0.5
    return sure and float(gain.sum()) > WORTH * error

"""Where a look-up pays, found in one pass over training windows: gradient descent alone would wait for luck.

While a head looks everywhere, what it copies says next to nothing, and so neither its gate nor its scores get a
gradient worth following. So candidates are tried in closed form: for each column, its high or its low values as the
mark, and each place beside it as what is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from foretide.models.frame import Framed
from foretide.models.inputs import Inputs, Labels
from foretide.models.lookup import REACH, Clue

Candidate: TypeAlias = tuple[tuple[float, float], Tensor, int | None, int]
"""Slope and threshold of a clue, scores of its lags, source and offset."""
LEVELS = (0.5, 1.5, 2.5)
"""Standard deviations from the mean at which a value becomes a mark; beside these, each value counts by its size."""
STRENGTH = 20.0
"""Score of a mark; the score of none is as far below zero."""
MOST_TARGETS, MOST_SOURCES, MOST_COLUMNS = 8, 8, 64
"""Of more targets so many stand for all; of more columns so many are tried, evenly spread."""
MOST_WORK, MOST_WEIGHTS = 3e9, 3e7
"""Multiplications, and weights held at once; windows are thinned out until they are no more."""
PLACES = 2 * REACH + 1
"""Around a mark, whose value may be the one to copy."""
BLOCK = 16
"""Neighbouring windows share their values, so they are halved in blocks of so many, or of two horizons."""
SURE = 3.5
"""A place has to help more than those beside it by so many standard errors ..."""
WORTH = 0.005
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
    known : float tensor ``[B, H, D]``
        Whether the truth is known.
    gates : float tensor ``[B, H, K]``
        What a gate may depend on: one, and the known-future columns.
    """

    seen: Tensor
    window: Tensor
    linear: Tensor
    rest: Tensor
    known: Tensor
    gates: Tensor

    def __getitem__(self, chosen: Tensor) -> Evidence:
        """Return some of the windows."""
        parts = (self.seen, self.window, self.linear, self.rest, self.known, self.gates)
        return Evidence(*(part[chosen] for part in parts))

    @property
    def block(self) -> int:
        """Windows of a block, at most a tenth of them."""
        n, h = self.rest.shape[:2]
        return max(1, min(max(BLOCK, 2 * h), n // 10))


def evidence(seen: Tensor, framed: Framed, linear: Tensor, inputs: Inputs, labels: Labels) -> Evidence:
    """Put the evidence together.

    Parameters
    ----------
    seen : float tensor ``[B, F, L]``
    framed : Framed
    linear : float tensor ``[B, H, D]``
        Forecast of the start inside the frame.
    inputs : Inputs
    labels : Labels

    Returns
    -------
    Evidence
    """
    rest = labels.y - framed.outside - linear
    known = torch.ones_like(rest) if labels.observed is None else labels.observed.to(rest.dtype)
    rest = rest * known
    # The standard deviation, but for outliers that nothing foretells.
    usual = torch.maximum(1.5 * rest.abs().median(), 0.5 * rest.square().mean().sqrt())
    gates = torch.ones_like(rest[..., :1])
    if inputs.known is not None:
        gates = torch.cat([gates, inputs.known - inputs.known.amin(dim=(0, 1))], dim=2)
    return Evidence(seen, framed.window, linear, rest.clamp(-3.0 * usual, 3.0 * usual), known, gates)


def find_clue(found: Evidence) -> Clue | None:
    """Return the clue that helps most, or None where none helps beyond chance.

    Parameters
    ----------
    found : Evidence

    Returns
    -------
    Clue or None
    """
    found = _thinned(found)
    half = torch.arange(len(found.seen), device=found.seen.device) // found.block % 2
    best, chosen, sure = 0.0, None, False
    for column, clues, copies in _candidates(found):
        parts = [_sums(found[half == side], copies[half == side]) for side in (0, 1)]
        factors = [along / size for along, size in parts]
        gains = sum(2.0 * f * along - f.square() * size for f, (along, size) in zip(factors[::-1], parts, strict=True))
        # What is copied from the target itself comes back with its own sign.
        own = torch.tensor([source is None for *_, source, _ in clues], device=half.device)[:, None]
        against = own & (torch.stack(factors).amin(dim=0) < 0)
        gain, gate = torch.as_tensor(gains).masked_fill(against, -torch.inf).max(dim=1)
        top = int(gain.argmax())
        if float(gain[top]) > best:
            best, at = float(gain[top]), int(gate[top])
            beside = slice(top - top % PLACES, top - top % PLACES + PLACES)
            # Each half is judged by the factor of the other.
            by = torch.stack(factors[::-1])[:, beside, at][half]
            (slope, threshold), lags, source, offset = clues[top]
            chosen = Clue(column, slope, threshold, STRENGTH, offset, lags, source)
            gained = _gained(found, copies[:, beside], by, at)
            sure = _sure(gained, top % PLACES, found)
    return chosen if sure else None


def _thinned(found: Evidence) -> Evidence:
    """Fewer targets, then fewer windows, so that the work is bounded."""
    d, device = found.linear.shape[2], found.seen.device
    if d > MOST_TARGETS:
        some = torch.linspace(0, d - 1, MOST_TARGETS, device=device).long()
        linear, rest, known = (part[..., some] for part in (found.linear, found.rest, found.known))
        found = Evidence(found.seen, found.window[:, some], linear, rest, known, found.gates)
    b, f, size = found.seen.shape
    copies = _n_copied(found) * (PLACES)
    weights = 8 * (len(LEVELS) + 1)
    each = weights * (size * (copies + 10) + 3 * copies * found.gates.shape[2])
    share = max(b * min(f, MOST_COLUMNS) * each / MOST_WORK, b * weights * size / MOST_WEIGHTS)
    stride = max(1, int(np.ceil(share)))
    return found[torch.arange(0, b, stride, device=device)]


def _n_copied(found: Evidence) -> int:
    """Channels that may be copied: all targets, or one target and some others."""
    d = found.linear.shape[2]
    return min(found.window.shape[1], MOST_SOURCES) if d == 1 else d


def _lag_scores(size: int, like: Tensor) -> Tensor:
    """Scores of the lags ``[4, L]``: no matter which, the newest first (three ways, slow to fast)."""
    lag = torch.arange(size - 1, -1, -1, dtype=like.dtype, device=like.device)
    return torch.stack([0.0 * lag, -STRENGTH / size * lag, -2.0 * STRENGTH / size * lag, -4.0 * lag.log1p()])


def _candidates(found: Evidence) -> Iterator[tuple[int, list[Candidate], Tensor]]:
    """A column at a time, clues on it, and the copies ``[B, clues, D]`` they would make."""
    f, size = found.seen.shape[1:]
    d, n = found.linear.shape[2], _n_copied(found)
    sources = [None] if d > 1 else [None, *range(1, n)]
    around = F.pad(found.window[:, :n], (REACH, REACH)).unfold(2, size, 1)  # [B, C, places, L]
    around = around.flatten(1, 2).transpose(1, 2)
    inside = F.pad(found.window.new_ones(1, size), (REACH, REACH)).unfold(1, size, 1)[0].T  # [L, places]
    by_lag = _lag_scores(size, found.seen)
    for column in sorted({round(k) for k in np.linspace(0, f - 1, min(f, MOST_COLUMNS))}):
        marks = _marks(found.seen[:, column])
        if not marks:
            continue
        slope, threshold = found.seen.new_tensor(marks).T[:, :, None, None]
        mark = STRENGTH * torch.tanh(slope * (found.seen[:, column, None, None] - threshold))  # [B, marks, 1, L]
        weights = torch.softmax(mark + by_lag, dim=3).flatten(1, 2)
        # Where the place would lie outside the lookback, the weight goes to the other places.
        copied = (weights @ around).view(*weights.shape[:2], -1, PLACES)
        copies = copied / (weights @ inside).clamp(min=1e-12)[:, :, None]
        clues = list(product(marks, by_lag, sources, range(-REACH, REACH + 1)))
        if d == 1:
            yield column, clues, copies.flatten(1)[..., None]
        else:
            yield column, clues, copies.permute(0, 1, 3, 2).flatten(1, 2)


def _marks(values: Tensor) -> list[tuple[float, float]]:
    """Slopes and thresholds worth trying on a column."""
    spread, mean = (float(x) for x in torch.std_mean(values))
    if spread < 1e-6:
        return []
    signs = (1.0, -1.0)
    hard = [(sign * 4.0 / spread, mean + sign * level * spread) for level in LEVELS for sign in signs]
    return [*hard, *((sign * 0.5 / spread, mean) for sign in signs)]


def _sums(found: Evidence, copies: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over windows, ``[J, K]`` each, of ``rest x change`` and of ``change**2``, for copies ``[B, J, D]``.

    The change is ``gate x (copy - start)``; all are matrix products.
    """
    gates, linear, known = found.gates, found.linear, found.known
    rest = torch.einsum("bhd,bhk->bdk", found.rest, gates)
    square = torch.einsum("bhk,bhd->bdk", gates.square(), known)
    mixed = torch.einsum("bhk,bhd->bdk", gates.square(), known * linear)
    far = torch.einsum("bhk,bhd->k", gates.square(), known * linear.square())
    off = torch.einsum("bhd,bhk->k", found.rest * linear, gates)
    copies = copies.transpose(0, 1).flatten(1)  # [J, B D]
    along = copies @ rest.flatten(0, 1) - off
    size = copies.square() @ square.flatten(0, 1) - 2.0 * copies @ mixed.flatten(0, 1) + far
    return along, size.clamp(min=1e-6)


def _gained(found: Evidence, copies: Tensor, factors: Tensor, gate: int) -> Tensor:
    """Squared error ``[B, places]`` that copies ``[B, places, D]`` save in each window, by factors ``[B, places]``."""
    by = factors[:, :, None] * found.gates[:, None, :, gate]
    change = by[..., None] * (copies[:, :, None] - found.linear[:, None]) * found.known[:, None]
    rest = found.rest[:, None]
    return (rest.square() - (rest - change).square()).sum(dim=(2, 3))


def _sure(gained: Tensor, place: int, found: Evidence) -> bool:
    """Whether one place saves enough, and more than the places beside it do on average, beyond chance.

    What drifts in a series is mended a little by a copy from anywhere; a look-up is mended from its place alone.
    """
    others = (gained.sum(dim=1) - gained[:, place]) / (gained.shape[1] - 1)
    more = torch.split(gained[:, place] - others, found.block)
    blocks = torch.stack([part.mean() for part in more])
    beyond = len(blocks) > 1 and float(blocks.mean()) > SURE * float(blocks.std()) / len(blocks) ** 0.5
    return beyond and float(gained[:, place].sum()) > WORTH * float(found.rest.square().sum())

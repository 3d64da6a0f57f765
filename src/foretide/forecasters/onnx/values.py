"""Gaps of a window, filled inside a graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def filled(values: Tensor) -> Tensor:
    """Carry the last value of a window forward over gaps; 0, the training mean, before the first one.

    Parameters
    ----------
    values : Tensor ``[B, L, C]``

    Returns
    -------
    Tensor ``[B, L, C]``
    """
    values = torch.where(values.isfinite(), values, torch.nan)
    reach, size = 1, values.shape[1]
    while reach < size:
        before = nn.functional.pad(values[:, :-reach], (0, 0, reach, 0), value=torch.nan)
        values = torch.where(values.isnan(), before, values)
        reach *= 2
    return torch.where(values.isnan(), 0.0, values)

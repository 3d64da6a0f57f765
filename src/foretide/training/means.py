"""Means over what was observed, of a batch and of several batches."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def reduce(elements: Tensor, observed: Tensor | None) -> Tensor:
    """Mean of elements over those that were observed; 0 when none was.

    Parameters
    ----------
    elements : float tensor ``[B, H, D]``
    observed : bool tensor ``[B, H, D]`` or None
        None: all.

    Returns
    -------
    Tensor
        A scalar.
    """
    if observed is None:
        return elements.mean()
    return (elements * observed).sum() / observed.sum().clamp(min=1)


def observed_in(y: Tensor, observed: Tensor | None) -> int:
    """Return how many elements of ``y`` were observed.

    Parameters
    ----------
    y : float tensor
    observed : bool tensor or None
        None: all.

    Returns
    -------
    int
    """
    return y.numel() if observed is None else int(observed.sum())


def joined_mean(means: Sequence[float], counts: Sequence[int]) -> float:
    """Mean over several batches of their means over some elements; 0 when there are none.

    Parameters
    ----------
    means : sequence of float
    counts : sequence of int
        Elements of each.

    Returns
    -------
    float

    Examples
    --------
    >>> from foretide.training.means import joined_mean
    >>> joined_mean([1.0, 4.0], [2, 1])
    2.0
    """
    return sum(mean * count for mean, count in zip(means, counts, strict=True)) / max(sum(counts), 1)

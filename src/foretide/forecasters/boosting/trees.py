"""Boosted trees through LightGBM: grown, stopped early, answered and written as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightgbm import Booster

    from foretide.typing import Array, Floats, Ints, Singles

PATIENCE = 30
"""Trees after which growth ends where the held-back rows gain nothing."""
WITHOUT = 100
"""Trees at most, where there are no held-back rows to stop by."""
ALIKE = 0.15
"""Forests whose loss on held-back rows is within this share of the smallest are averaged."""
BINS = 127
_COMMON = {
    "feature_fraction": 0.4, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 1.0,
    "force_col_wise": True, "deterministic": True, "num_threads": 1, "verbosity": -1,
}  # fmt: skip
_DATA = {"max_bin": BINS, "num_threads": 1, "verbosity": -1}


@dataclass(frozen=True)
class Growth:
    """How trees grow.

    Attributes
    ----------
    objective : {"huber", "regression"}
        Beyond a unit of its window an error counts by its size, not its square; or always by its square.
    trees, leaves : int
        At most.
    lr : float
    seed : int
    fewest : int
        Rows of a leaf, at least.
    """

    objective: str
    trees: int
    leaves: int
    lr: float
    seed: int
    fewest: int = 20

    def settings(self, stream: int) -> dict[str, Any]:
        """Return the settings of LightGBM, with random numbers of their own for each stream."""
        return {
            **_COMMON, "objective": self.objective, "alpha": 1.0, "num_leaves": self.leaves, "learning_rate": self.lr,
            "min_data_in_leaf": self.fewest, "seed": self.seed + 1000 * stream,
        }  # fmt: skip


def grown(
    x: Singles,
    label: Floats,
    growth: Growth,
    stream: int,
    held: tuple[Singles, Floats] | None,
    trees: int | None = None,
) -> tuple[Booster, int]:
    """Grow trees.

    Parameters
    ----------
    x : float32 array ``[n, C]``
    label : float array ``[n]``
    growth : Growth
    stream : int
    held : tuple of two arrays, or None
        Rows and labels to stop by.
    trees : int, optional
        How many, where that is known; it needs nothing held back.

    Returns
    -------
    Booster
    int
        Trees that it answers with.
    """
    import lightgbm as lgb

    data = lgb.Dataset(x, label, params=_DATA)
    if held is None or not len(held[1]):
        number = trees or min(growth.trees, WITHOUT)
        return lgb.train(growth.settings(stream), data, number), number
    stop = lgb.early_stopping(PATIENCE, verbose=False)
    valid = lgb.Dataset(*held, reference=data, params=_DATA)
    model = lgb.train(growth.settings(stream), data, growth.trees, valid_sets=[valid], callbacks=[stop])
    return model, max(1, model.best_iteration)


def answered(model: Booster, x: Singles, trees: int | None = None) -> Floats:
    """Return a forest's answers to rows ``[n, C]``, those of its first trees where a number is given, ``[n]``."""
    if not len(x):
        return np.zeros(0)
    return np.asarray(model.predict(x, num_iteration=trees, num_threads=1), dtype=np.float64)


def loss_of(error: Floats) -> float:
    """Return the mean of what errors ``[n]`` in units of their windows cost: squared up to one, then linear."""
    size = np.abs(error)
    return float(np.where(size < 1, 0.5 * size**2, size - 0.5).mean()) if len(size) else 0.0


def alike(losses: Sequence[float]) -> Ints:
    """Return the positions of all losses that are about as small as the smallest, that one first.

    Examples
    --------
    >>> alike([1.02, 1.0, 1.2]).tolist()
    [1, 0]
    """
    order = np.argsort(losses, kind="stable")
    return order[np.asarray(losses)[order] <= (1 + ALIKE) * min(losses)]


def as_text(model: Booster) -> Array:
    """Return a forest as the characters of LightGBM's own text format."""
    return np.frombuffer(model.model_to_string().encode(), dtype=np.uint8)


def from_text(characters: Array) -> Booster:
    """Return the forest that :func:`as_text` wrote."""
    import lightgbm as lgb

    return lgb.Booster(model_str=np.asarray(characters, dtype=np.uint8).tobytes().decode())

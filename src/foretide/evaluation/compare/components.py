"""Where the spread of a loss comes from: seeds, folds, series, and how they act together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from foretide.typing import Floats


def variance_components(losses: ArrayLike, names: Sequence[str] = ("seed", "fold", "series")) -> pd.DataFrame:
    """Split the variance of one model's loss by its sources: crossed random effects, one loss in each cell.

    The standard error over seeds is no interval of the figure; the last row has that over new seeds, folds and series.

    Parameters
    ----------
    losses : array-like ``[S, K, N]``
        Loss of each seed, fold (origin) and series, every cell known; up to four axes.
    names : sequence of str
        Of the axes.

    Returns
    -------
    DataFrame
        One row for each axis, each combination of axes (``"seed x fold"``; the one of all axes also holds what is left)
        and ``"total"``, with

        - ``source``, ``freedom``, ``sum_of_squares`` and ``share`` of the total sum of squares;
        - ``variance``: the unbiased component (method of moments, from the expected mean squares), zero where its
          estimate is negative, which ``negative`` says; the total is the sum of the components;
        - ``standard_error`` of the grand mean: for an axis, from the spread of its own means (``sd / sqrt(levels)``),
          as if the other axes were fixed; for the total, with all axes drawn anew; NaN for combinations.

    Raises
    ------
    DataError
        When a cell is NaN.
    ConfigError
        When the names do not fit the axes, or an axis has a single level.

    References
    ----------
    Searle, Casella & McCulloch (1992), *Variance Components*, chapter 4.

    Examples
    --------
    >>> variance_components([[1.0, 2.0], [3.0, 4.0]], names=("seed", "fold"))["source"].tolist()
    ['seed', 'fold', 'seed x fold', 'total']
    """
    x = np.asarray(losses, dtype=np.float64)
    _check(x, names)
    sources = [axes for size in range(1, x.ndim + 1) for axes in combinations(range(x.ndim), size)]
    squares, freedom = _sums_of_squares(x, sources)
    mean_squares = {axes: squares[axes] / freedom[axes] for axes in sources}
    raw = {axes: _component(axes, mean_squares, x.shape) for axes in sources}
    component = {axes: max(value, 0.0) for axes, value in raw.items()}
    total = float(((x - x.mean()) ** 2).sum())
    of_mean = sum(component[axes] / np.prod([x.shape[a] for a in axes]) for axes in sources)
    alone = [np.sqrt(mean_squares[axes] / x.size) if len(axes) == 1 else float("nan") for axes in sources]
    frame = pd.DataFrame({
        "source": [*(" x ".join(names[a] for a in axes) for axes in sources), "total"],
        "freedom": [*freedom.values(), x.size - 1],
        "sum_of_squares": [*squares.values(), total],
        "variance": [*component.values(), sum(component.values())],
        "negative": [*(value < 0 for value in raw.values()), False],
        "standard_error": [*alone, np.sqrt(of_mean)],
    })  # fmt: skip
    frame.insert(3, "share", frame["sum_of_squares"] / (total if total > 0 else float("nan")))
    return frame


def _check(x: Floats, names: Sequence[str]) -> None:
    if not 1 <= x.ndim <= 4 or len(names) != x.ndim or len(set(names)) != x.ndim:
        raise ConfigError(
            f"Expected one name for each axis of the losses {x.shape}, up to four axes; got {list(names)}."
        )
    single = [k for k, size in enumerate(x.shape) if size < 2]
    if single:
        k = single[0]
        left = tuple(name for name in names if name != names[k])
        raise ConfigError(
            f"{names[k]!r} has {x.shape[k]} levels; its variance needs two or more. "
            f"Take the axis out: losses.mean(axis={k}), names={left}"
        )
    missing = int(np.isnan(x).sum())
    if missing:
        raise DataError(
            f"{missing} of {x.size} losses are NaN, and every cell of {list(names)} is needed. "
            "Leave out the series or folds that have them."
        )


def _sums_of_squares(
    x: Floats, sources: Sequence[tuple[int, ...]]
) -> tuple[dict[tuple[int, ...], float], dict[tuple[int, ...], int]]:
    """Return sum of squares and degrees of freedom of each effect: its means, less the effects within it."""
    effects: dict[tuple[int, ...], Floats] = {(): x.mean(keepdims=True)}
    squares, freedom = {}, {}
    for axes in sources:
        others = tuple(a for a in range(x.ndim) if a not in axes)
        within = [inner for size in range(len(axes)) for inner in combinations(axes, size)]
        effect = x.mean(axis=others, keepdims=True) - sum(effects[inner] for inner in within)
        effects[axes] = effect
        squares[axes] = float((effect**2).sum()) * int(np.prod([x.shape[a] for a in others]))
        freedom[axes] = int(np.prod([x.shape[a] - 1 for a in axes]))
    return squares, freedom


def _component(axes: tuple[int, ...], mean_squares: dict[tuple[int, ...], float], shape: tuple[int, ...]) -> float:
    """Solve the expected mean squares for one component.

    A mean square expects the sum, over the effects that hold its axes, of their component times the number of cells in
    each of their levels; so signed mean squares of those effects leave one component.
    """
    signed = sum(
        (-1) ** (len(other) - len(axes)) * square for other, square in mean_squares.items() if set(axes) <= set(other)
    )
    return float(signed / np.prod([size for a, size in enumerate(shape) if a not in axes]))

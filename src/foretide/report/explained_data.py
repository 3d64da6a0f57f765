"""What pictures of explanations share: which rows are drawn of many, and where a figure lies among its draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MEASURED = "mean squared error, training scale = 1"
"""What errors of the test of faithfulness are measured in, as the title of an axis."""
MASKS = (
    ("error", "no mask", "o", "-"), ("attended", "most attended lags masked", "D", "--"),
    ("random", "as many random lags masked", "s", ":"),
)  # fmt: skip
"""Column of ``faithfulness_by_step``, its name, and how matplotlib marks it."""


@dataclass(frozen=True)
class Ranked:
    """An error among those of its relabellings.

    Attributes
    ----------
    values : float array ``[1 + draws]``
        All of them, smallest first.
    place : int
        Where the true one stands, 1 the smallest. Equal ones stand on the side that makes it less special.
    p_value : float
    """

    values: Floats
    place: int
    p_value: float


def ranked(draws: Floats, own: float, *, expected: str) -> Ranked:
    """Sort an error among its draws; ``expected`` says whether it is special when ``"high"`` or when ``"low"``."""
    beyond = int((draws >= own).sum() if expected == "high" else (draws <= own).sum())
    place = len(draws) + 1 - beyond if expected == "high" else 1 + beyond
    return Ranked(np.sort(np.append(draws, own)), place, (1 + beyond) / (1 + len(draws)))


def both_tests(tables: Mapping[str, pd.DataFrame]) -> dict[str, Ranked]:
    """Where the true error lies in the test of masking and in that of moving."""
    one, draws = tables["faithfulness"].iloc[0], tables["faithfulness_draws"]
    return {
        "masking": ranked(draws["random"].to_numpy(float), float(one["attended"]), expected="high"),
        "moving": ranked(draws["moved"].to_numpy(float), float(one["error"]), expected="low"),
    }


def difference_words(one: pd.Series[Any]) -> str:
    """Say how far the error with attended lags masked lies from that with random ones; ``one`` is the test's row."""
    said = f"{float(one['difference']):+.1%} of the error"
    if not np.isfinite([float(one["low"]), float(one["high"])]).all():
        return f"{said}, {int(one['n_cutoffs'])} cutoffs are too few for an interval"
    return (
        f"{said}, 95 % interval {float(one['low']):+.1%} to {float(one['high']):+.1%} over {int(one['n_cutoffs'])} "
        "cutoffs"
    )


def most_moved(effects: pd.DataFrame) -> list[str]:
    """Names of targets, those first whose forecasts shocks move most, as a share of their mean where there is one."""
    order = effects.sort_values(["relative", "size"], ascending=False, kind="stable")
    return [str(name) for name in order["target"]]


@dataclass(frozen=True)
class Loadings:
    """The columns that go most with the latent states.

    Attributes
    ----------
    columns : sequence of str
        ``C``; those that go with the same latent stand together, the strongest first.
    latents : sequence of str
        ``K``.
    correlation, jacobian : float arrays ``[C, K]``
    left_out : int
    """

    columns: Sequence[str]
    latents: Sequence[str]
    correlation: Floats
    jacobian: Floats
    left_out: int


def leading_loadings(table: pd.DataFrame, most: int) -> Loadings:
    """Pick the columns with the largest correlations (of either sign) with any latent, at most ``most``."""
    latents = list(dict.fromkeys(table["latent"].astype(str)))
    columns = [str(c) for c in table["column"].to_numpy()[:: len(latents)]]
    correlation, jacobian = (
        table[name].to_numpy(float).reshape(len(columns), len(latents)) for name in ("correlation", "jacobian")
    )
    size = np.nan_to_num(np.abs(correlation))
    strongest = size.max(axis=1)
    kept = np.argsort(-strongest, kind="stable")[:most]
    kept = kept[np.lexsort((-strongest[kept], size[kept].argmax(axis=1)))]
    return Loadings(
        [columns[c] for c in kept], latents, correlation[kept], jacobian[kept], len(columns) - len(kept)
    )  # fmt: skip


def with_extremes(values: Floats, most: int) -> NDArray[np.int64]:
    """Places of at most ``most`` values in order of time: the smallest and the largest of evenly long stretches."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), max(1, most // 2) + 1).round().astype(np.int64)
    kept = set()
    for low, high in pairwise(edges.tolist()):
        piece = values[low:high]
        kept |= {int(low + piece.argmin()), int(low + piece.argmax())}
    return np.array(sorted(kept), dtype=np.int64)


def input_scale(table: pd.DataFrame) -> tuple[float, str]:
    """Return what an increase of the loss is multiplied by in pictures, and the unit it has then."""
    metric, loss = str(table["metric"].iloc[0]).upper(), float(table["loss"].iloc[0])
    if loss > 0:
        return 100 / loss, f"growth of the {metric} when replaced, %"
    return 1.0, f"growth of the {metric} when replaced, {'squared units' if metric == 'MSE' else 'original units'}"


def kind_of(kind: str) -> str:
    """Return what a group of inputs is called: ``lags`` -> ``lags of the targets``, ``past`` -> ``past columns``."""
    return "lags of the targets" if kind == "lags" else f"{kind} columns"

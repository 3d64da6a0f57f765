"""Whether the lags that attention points at are the lags the forecast needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError
from foretide.explain.chance import cutoff_means, mean_test
from foretide.explain.weights.stream import backbone_of
from foretide.seeding import torch_generator
from foretide.text import phrase
from foretide.typing import Floats, Ints

if TYPE_CHECKING:
    import torch

    from foretide.explain.weights.stream import Lens
    from foretide.forecasters.networks.attention import Attention
    from foretide.models.attending import Look

    Edit = Callable[[torch.Tensor], torch.Tensor]

ALPHA = 0.05
FEWEST_DRAWS = 19
"""With fewer, no p-value can be as low as 0.05."""
MARGIN = 0.02
"""Share of the error below which a difference does not matter."""
REFUTED = 0.2
"""From this p-value on random lags do as well, however wide the interval."""
SHARE_MASKED = 0.05
MOST_WINDOWS = 500
FEWEST_CUTOFFS = 60
"""Cutoffs kept of many series before any series is left out."""
ERRORS = "mean squared error in units of each series' training scale"


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What masking the most attended lags does to the error, against masking random lags of the same number.

    And what the weights are worth: the error by the model's own weights, against the same weights at other lags.

    Attributes
    ----------
    k : int
        Lags masked in every window, head and horizon step, of ``lookback``.
    lookback : int
    error : float
        Mean squared error without a mask, in units of each series' training scale, mean over cutoffs.
    attended : float
        The same with the most attended lags masked.
    random : float array ``[draws]``
        The same with random lags masked, one for each relabelling.
    moved : float array ``[draws]``
        Without a mask, by the model's weights moved to random lags, one for each relabelling.
    by_step : float array ``[3, H]``
        Without a mask, attended, and mean of the random ones, by horizon step.
    interval : (float, float)
        95 % interval of ``attended - mean(random)`` in units of ``error``; NaN with too few cutoffs.
    n_windows, n_cutoffs : int
    """

    k: int
    lookback: int
    error: float
    attended: float
    random: Floats
    moved: Floats
    by_step: Floats
    interval: tuple[float, float]
    n_windows: int
    n_cutoffs: int

    @property
    def difference(self) -> float:
        """``attended - mean(random)`` in units of ``error``: 0.5 says half an error more."""
        return float((self.attended - self.random.mean()) / self.error) if self.error > 0 else float("nan")

    @property
    def p_masking(self) -> float:
        """Chance that masking random lags does at least as much harm as masking the attended ones."""
        return float((1 + (self.random >= self.attended).sum()) / (1 + len(self.random)))

    @property
    def p_moving(self) -> float:
        """Chance that the weights, moved to random lags, forecast at least as well as where they are."""
        return float((1 + (self.moved <= self.error).sum()) / (1 + len(self.moved)))

    @property
    def p_value(self) -> float:
        """The larger of both: the attention is faithful only if both nulls fall."""
        return max(self.p_masking, self.p_moving)

    @property
    def verdict(self) -> str:
        """``"faithful"``, ``"not faithful"`` or ``"undecided"``; see :func:`faithfulness_of` for the rule."""
        (low, high), harm = self.interval, self.difference
        if np.isnan([low, high, harm]).any():
            return "undecided"
        if self.p_value <= ALPHA and low > 0:
            return "faithful" if harm >= MARGIN else "not faithful" if high < MARGIN else "undecided"
        return "undecided" if low <= 0 and high >= MARGIN and self.p_value <= REFUTED else "not faithful"

    def text(self) -> str:
        """Say verdict, figures and rule in words."""
        harm, chance = self.attended / self.error - 1, self.random.mean() / self.error - 1
        lags = "the most attended lag" if self.k == 1 else f"the {self.k} most attended lags"
        low, high = self.interval
        sure = "no interval" if np.isnan(low + high) else f"95 % interval {low:+.1%} to {high:+.1%}"
        rule = (
            f"Masking {lags} of {self.lookback} changes the squared error by {harm:+.1%}, masking as many random ones "
            f"by {chance:+.1%} (difference {self.difference:+.1%} of the error, {sure} over "
            f"{phrase('cutoff', self.n_cutoffs)}; p = {self.p_masking:.2g} by {len(self.random)} random draws). "
            "With the weights moved to random lags the error changes by "
            f"{self.moved.mean() / self.error - 1:+.1%} (p = {self.p_moving:.2g}). "
        )
        undecided = "That does not decide whether the attention is faithful; look at more cutoffs."
        return rule + (undecided if self.verdict == "undecided" else self.conclusion())

    def conclusion(self) -> str:
        """Say the verdict alone."""
        return {
            "faithful": "The attention is faithful: the forecast needs the lags it points at.",
            "not faithful": "The attention is not faithful: the forecast does not need the lags it points at more "
            "than others, so do not read it as an explanation.",
            "undecided": "Whether the forecast needs the lags it points at is not decided; look at more cutoffs.",
        }[self.verdict]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Figures of the test.

        Returns
        -------
        dict
            ``faithfulness``, one row: errors without a mask, with the most attended lags masked, and the means of the
            ``random`` masks and of the ``moved`` weights; ``difference, low, high`` as shares of the error; p-values,
            sizes and verdict. ``faithfulness_by_step``: ``h_step, error, attended, random``. ``faithfulness_draws``:
            ``draw, random, moved``, the errors of each relabelling.
        """
        draws = np.arange(1, len(self.random) + 1)
        one = {
            "error": self.error, "attended": self.attended, "random": float(self.random.mean()),
            "moved": float(self.moved.mean()), "difference": self.difference, "low": self.interval[0],
            "high": self.interval[1], "p_masking": self.p_masking, "p_moving": self.p_moving, "k": self.k,
            "lookback": self.lookback, "draws": len(draws), "n_windows": self.n_windows,
            "n_cutoffs": self.n_cutoffs, "verdict": self.verdict,
        }  # fmt: skip
        steps = {"h_step": np.arange(1, self.by_step.shape[1] + 1)}
        steps |= dict(zip(("error", "attended", "random"), self.by_step, strict=True))
        return {
            "faithfulness": pd.DataFrame([one]),
            "faithfulness_by_step": pd.DataFrame(steps),
            "faithfulness_draws": pd.DataFrame({"draw": draws, "random": self.random, "moved": self.moved}),
        }

    def __repr__(self) -> str:
        return (
            f"Faithfulness({self.verdict}: attended {self.attended / self.error - 1:+.1%}, random "
            f"{self.random.mean() / self.error - 1:+.1%}, p = {self.p_value:.2g}, {self.n_cutoffs} cutoffs)"
        )


def faithfulness_of(
    lens: Lens,
    k: int | None = None,
    draws: int = 39,
    *,
    seed: int = 0,
    most_windows: int = MOST_WINDOWS,
    scores: Edit | None = None,
    ranked_by: Edit | None = None,
) -> Faithfulness:
    """Mask the most attended lags, and random ones, and compare the errors.

    A mask sets the decoder's scores of ``k`` lags to minus infinity, so their weight goes to the other lags of the row
    and the rest of the model (season, level, linear map) stays as it is. Which lags: the ``k`` with the largest weight
    in each window, head and horizon step; ties are broken by an order drawn once.

    Parameters
    ----------
    lens : Lens
    k : int, optional
        Lags masked; by default 5 % of the lookback, at least one.
    draws : int
        Random relabellings of the lags, at least 19, each one permutation per head and horizon step for all windows.
        A random mask is the attended mask, relabelled.
    seed : int
    most_windows : int
        More windows than these are thinned out evenly over the cutoffs.
    scores, ranked_by : callable, optional
        Change the scores ``[B, M, H, L]`` that the model uses, or those that rank the lags; for tests of the test.

    Notes
    -----
    Two null hypotheses, and both must fall. *Masking*: which lags are ranked highest has nothing to do with which lags
    the forecast needs; then relabelled masks do as much harm, ``p = (1 + #{random >= attended}) / (1 + draws)``.
    *Moving*: the weights might as well lie at other lags; then the model forecasts as well by relabelled weights,
    ``p = (1 + #{moved <= own}) / (1 + draws)``. The first holds for an explanation that was permuted, the second for a
    model whose weights were: there a masked lag that happens to help would pass the first. Under its null a relabelling
    changes nothing in distribution, whatever the windows and however much one mask is like another, so either test has
    size 0.05 at most, and so has their intersection. Drawing the random lags anew in every window would not do: the
    average over windows would have almost no spread, and a permuted explanation that hits a needed lag by luck would
    pass. The interval is for the windows instead: by cutoff, robust to the overlap of forecasts
    (:func:`foretide.evaluation.compare.tests.diebold_mariano`).

    Verdict: *faithful* when both p are at most 0.05, the interval lies above zero, and the difference is at least 2 %
    of the error. *Undecided* when there are too few cutoffs: no interval, or one that holds both zero and 2 % while p
    is at most 0.2, or a difference above zero that may or may not reach 2 %. *Not faithful* otherwise.
    """
    k = _checked(k, lens.backbone.attention_shape[-1], draws)
    places = _thinned(lens, most_windows)
    losses, known = _losses(lens, places, k, draws, seed, (scores, ranked_by))
    return _judged(lens, places, losses, known, k)


def _losses(
    lens: Lens, places: Ints, k: int, draws: int, seed: int, edits: tuple[Edit | None, Edit | None]
) -> tuple[Floats, Floats]:
    """Squared errors ``[2 + 2 draws, n, H]``, summed over the targets, and how many targets are known ``[n, H]``."""
    import torch

    shape, generator = lens.backbone.attention_shape, torch_generator(seed)
    relabel = torch.rand((draws, *shape), generator=generator).argsort(dim=-1).to(lens.backbone.device)
    ties = torch.rand(shape, generator=generator).argsort(dim=-1).to(lens.backbone.device)
    losses = np.zeros((2 + 2 * draws, len(places), shape[1]))
    known = np.zeros((len(places), shape[1]))
    scores, ranked_by = edits
    with torch.inference_mode():
        for at, look, entity, labels in lens.with_truth_of(places):
            used = look.scores if scores is None else scores(look.scores)
            ranks = used if ranked_by is None else ranked_by(used)
            order = ties.expand(ranks.shape)
            top = order.gather(-1, ranks.gather(-1, order).topk(k, dim=-1).indices)
            mask = torch.zeros_like(used, dtype=torch.bool).scatter_(-1, top, True)
            observed = torch.ones_like(labels.y) if labels.observed is None else labels.observed.to(labels.y.dtype)
            known[at] = observed.sum(dim=2).cpu().numpy()
            for which, each in enumerate(_tried(used, mask, relabel)):
                mean = forecast_by(lens.model, look, torch.softmax(each, dim=-1), entity)
                losses[which, at] = ((mean - labels.y).square() * observed).sum(dim=2).cpu().numpy()
    return losses, known


def _tried(scores: torch.Tensor, mask: torch.Tensor, relabel: torch.Tensor) -> Iterator[torch.Tensor]:
    """Scores as they are, with the mask, with each relabelled mask, and relabelled themselves."""
    import torch

    yield scores
    yield scores.masked_fill(mask, -torch.inf)
    for one in relabel:
        yield scores.masked_fill(mask.gather(-1, one.expand(mask.shape)), -torch.inf)
    for one in relabel:
        yield scores.gather(-1, one.expand(scores.shape))


def forecast_by(model: Attention, look: Look, weights: torch.Tensor, entity: torch.Tensor) -> torch.Tensor:
    """Mean forecast ``[B, H, D]``, in the network's units, that the model makes by other weights ``[B, M, H, L]``."""
    from foretide.heads.base import SeriesInfo

    network = model.network
    assert network is not None
    hidden = backbone_of(model).decode(look, weights)
    series = None if network.unit is None else SeriesInfo(entity, network.unit[entity])
    mean: torch.Tensor = network.head(hidden.features, hidden.base, hidden.scale, series).mean()
    return mean


def _checked(k: int | None, lookback: int, draws: int) -> int:
    k = max(1, round(SHARE_MASKED * lookback)) if k is None else k
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k < lookback:
        raise ConfigError(
            f"k is a number of lags between 1 and {lookback - 1}, got {k!r}. Leave it out for 5 % of them."
        )
    if isinstance(draws, bool) or not isinstance(draws, (int, np.integer)) or draws < FEWEST_DRAWS:
        raise ConfigError(f"draws is at least {FEWEST_DRAWS}, or no p-value can reach {ALPHA}; got {draws!r}.")
    return int(k)


def _thinned(lens: Lens, most: int) -> Ints:
    """Places of windows with a truth, at most ``most``: first cutoffs are thinned out evenly, then series."""
    places = lens.with_truth()
    if not len(places):
        raise DataError(
            f"No window has a truth to compare with: {lens.model.h} steps after a cutoff must lie inside the panel. "
            "Give earlier cutoffs."
        )
    if len(places) <= most:
        return places
    steps = lens.windows.steps(lens.panel)[places]
    every = np.unique(steps)
    share = max(FEWEST_CUTOFFS, most * len(every) // len(places))
    places = places[np.isin(steps, every[:: max(1, -(-len(every) // share))])]
    if len(places) <= most:
        return places
    own = np.unique(lens.windows.entity[places])
    keep = own[:: -(-len(places) // most)]
    return places[np.isin(lens.windows.entity[places], keep)]


def _judged(lens: Lens, places: Ints, losses: Floats, known: Floats, k: int) -> Faithfulness:
    """Reduce squared errors ``[2 + 2 draws, n, H]``, sums over ``known`` ``[n, H]`` values, to cutoffs and judge."""
    steps, at = np.unique(lens.windows.steps(lens.panel)[places], return_inverse=True)
    if not known.any():
        raise DataError("No target is observed after the cutoffs. Give cutoffs whose horizon has values.")
    by_cutoff = cutoff_means(losses.sum(axis=2), known.sum(axis=1), at)
    counted = ~np.isnan(by_cutoff[0])
    by_cutoff, steps = by_cutoff[:, counted], steps[counted]
    mean, draws = by_cutoff.mean(axis=1), len(by_cutoff) // 2 - 1
    gap = by_cutoff[1] - by_cutoff[2 : 2 + draws].mean(axis=0)
    low, high, _ = mean_test(gap, overlap_of(steps, lens.model.h))
    error = float(mean[0])
    per_step = losses.sum(axis=1) / np.maximum(known.sum(axis=0), 1)
    by_step = np.stack([per_step[0], per_step[1], per_step[2 : 2 + draws].mean(axis=0)])
    relative = (low / error, high / error) if error > 0 else (float("nan"), float("nan"))
    random, moved = mean[2 : 2 + draws], mean[2 + draws :]
    n = len(places), len(steps)
    return Faithfulness(
        k, lens.backbone.attention_shape[-1], error, float(mean[1]), random, moved, by_step, relative, *n
    )


def overlap_of(steps: Ints, reach: int) -> int:
    """How many neighbouring cutoffs share one of ``reach`` steps."""
    stride = float(np.median(np.diff(steps))) if len(steps) > 1 else float(reach)
    return max(1, int(np.ceil(reach / stride)))

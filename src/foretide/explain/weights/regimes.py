"""Whether attention looks elsewhere inside event windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import pandas as pd

from foretide.errors import ConfigError, DataError
from foretide.explain.chance import mean_test
from foretide.explain.weights.faithfulness import forecast_by, overlap_of
from foretide.explain.weights.profiles import distances, kinds, mass_by_distance
from foretide.typing import Array, Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.explain.weights.stream import Lens

    Mask: TypeAlias = "str | Sequence[bool] | Array | EventTruth"

OUTLIER = 4.0
"""A step is an event where its error exceeds so many standard deviations, by the median absolute error."""
NORMAL_MAD = 1.4826
ROUNDING = 1e-4
"""Share of a figure below which a difference is rounding: weights that never change have an interval of no width."""
N_DISTANCES = 3
LEVEL = 95.0
"""That all intervals of a split hold together, in percent."""


class EventTruth(Protocol):
    """The truth of made-up data that knows its events, as that of ``ft.synthetic.hourly``."""

    @property
    def event_mask(self) -> Array:
        """Which grid steps lie in an event."""


@dataclass(frozen=True, eq=False)
class RegimeSplit:
    """Figures inside and outside event windows.

    Attributes
    ----------
    table : DataFrame
        ``figure, inside, outside, difference, low, high``: mean over windows of ``entropy`` (nats), the shares of
        ``recent``, ``seasonal`` and ``other`` lags, the mean lag, and the weight at the distances that lead overall;
        the difference with its interval, by cutoff, robust to autocorrelation (NaN with too few cutoffs). The
        intervals hold together with 95 % or more (Bonferroni), so each is wider than one alone would be.
    profiles : DataFrame
        ``distance, inside, outside``: mean weights by distance to the forecast step.
    inside : bool array ``[N]``
        Which windows are inside.
    about : str
        What an event window is, in words.
    level : float
        Of each interval alone, in percent.
    """

    table: pd.DataFrame
    profiles: pd.DataFrame
    inside: Bools
    about: str
    level: float

    @property
    def differing(self) -> pd.DataFrame:
        """Rows of ``table`` whose interval leaves out zero, and whose difference is more than rounding."""
        table = self.table
        size = ROUNDING * np.maximum(table["inside"].abs(), table["outside"].abs())
        return table[((table["low"] > 0) | (table["high"] < 0)) & (table["difference"].abs() > size)]

    def text(self) -> str:
        """Say what differs, or that nothing does."""
        n = int(self.inside.sum())
        where = f"Inside event windows ({self.about}; {n} of {len(self.inside)} windows)"
        if self.table[["low", "high"]].isna().all(axis=None):
            return f"{where} there are too few cutoffs to tell whether attention differs."
        differing = self.differing
        if differing.empty:
            return f"{where} no figure of the attention differs by more than chance ({self._rule})."
        figures = [
            f"{row['figure']} {row['inside']:.3g} instead of {row['outside']:.3g} "
            f"(difference {row['difference']:+.3g}, interval {row['low']:+.3g} to {row['high']:+.3g})"
            for _, row in differing.iterrows()
        ]
        counted = f"{len(figures)} of {len(self.table)} figures differ{'s' if len(figures) == 1 else ''}"
        return f"{where}: {'; '.join(figures)}. {counted} by more than chance ({self._rule})."

    def tables(self) -> dict[str, pd.DataFrame]:
        """``regimes``, :attr:`table` with what it is about in every row, and ``regime_profiles``."""
        n = int(self.inside.sum())
        table = self.table.assign(
            more_than_chance=self.table.index.isin(self.differing.index), n_inside=n, n_outside=len(self.inside) - n,
            level=self.level, events=self.about,
        )  # fmt: skip
        return {"regimes": table, "regime_profiles": self.profiles}

    @property
    def _rule(self) -> str:
        n = len(self.table)
        return f"{LEVEL:g} % intervals, corrected for {n} figures: each has a level of {self.level:.4g} %"

    def __repr__(self) -> str:
        return f"RegimeSplit({int(self.inside.sum())} of {len(self.inside)} windows inside: {self.about})"


def split_by(lens: Lens, inside: Bools, about: str, top: Ints) -> RegimeSplit:
    """Go over the windows once more and compare those inside with those outside.

    Parameters
    ----------
    lens : Lens
    inside : bool array ``[N]``
    about : str
    top : int array
        Distances whose weights are compared.

    Notes
    -----
    Several figures are compared at once. With ``F`` of them each interval has the level ``100 - 5 / F`` percent, so
    that the chance of any false difference is at most 5 % (Bonferroni), however the figures go together, as far as each
    interval keeps its level. On eight figures that are AR(1), 600 cutoffs and a lookback of 20, it is 5 % up to a
    coefficient of 0.7 and 11 % at 0.9; without the correction it would be a third and nearly half.
    """
    import torch

    if inside.all() or not inside.any():
        which = "every window is" if inside.all() else "no window is"
        raise DataError(f"Two regimes are needed: {which} inside ({about}). Give more cutoffs, or another mask.")
    _, h, lookback = lens.backbone.attention_shape
    figures = _cells(h, lookback, lens.seasons, top)
    cells = torch.as_tensor(np.stack(list(figures.values()), axis=-1).reshape(h * lookback, -1), dtype=torch.float32)
    cells = cells.to(lens.backbone.device)
    values = np.empty((len(inside), len(figures) + 1))
    sums = np.zeros((2, h, lookback))
    with torch.inference_mode():
        for at, weights, look in lens.weights():
            log_z = look.scores.logsumexp(dim=-1)
            values[at, 0] = (log_z - (weights * look.scores).sum(dim=-1)).mean(dim=(1, 2)).cpu().numpy()
            mean = weights.mean(dim=1)
            values[at, 1:] = (mean.flatten(1) @ cells).cpu().numpy()
            within = inside[at]
            for side, chosen in enumerate((within, ~within)):
                sums[side] += mean[torch.from_numpy(chosen).to(mean.device)].sum(dim=0).cpu().numpy()
    steps = lens.windows.steps(lens.panel)
    names = ["entropy", *figures]
    level = simultaneous(len(names))
    rows = [_compared(name, values[:, j], inside, steps, lookback, level) for j, name in enumerate(names)]
    far = mass_by_distance(sums / np.array([inside.sum(), (~inside).sum()])[:, None, None])[:, 1:]
    profiles = pd.DataFrame({"distance": np.arange(1, far.shape[1] + 1), "inside": far[0], "outside": far[1]})
    return RegimeSplit(pd.DataFrame(rows), profiles, inside, about, level)


def simultaneous(n: int) -> float:
    """Level, in percent, that each of ``n`` intervals needs for all to hold with :data:`LEVEL` percent."""
    return 100 - (100 - LEVEL) / n


def inside_of(lens: Lens, mask: Mask | None, reach: int | None) -> tuple[Bools, str]:
    """Return which windows are inside, ``[N]``, and what that means; see ``AttentionSummary.by_regime``."""
    reach = lens.model.h if reach is None else reach
    if isinstance(reach, bool) or not isinstance(reach, (int, np.integer)) or reach < 1:
        raise ConfigError(f"reach is a number of steps, at least 1; got {reach!r}.")
    if mask is None or (isinstance(mask, str) and mask == "events"):
        near = f"a forecast error beyond {OUTLIER:g} standard deviations {_reach(reach)}"
        return _near(lens, _outliers(lens), reach), near
    if hasattr(mask, "event_mask"):
        events, last = np.asarray(mask.event_mask, dtype=bool), int(lens.windows.steps(lens.panel).max())
        if len(events) <= last:
            raise DataError(
                f"The truth knows {len(events)} steps, the windows reach to step {last}. Give the truth of this panel."
            )
        stamped = {i: np.flatnonzero(events) - int(lens.panel.first[i]) for i in range(lens.panel.n_entities)}
        return _near(lens, stamped, reach), f"an event of the truth {_reach(reach)}"
    inside = np.asarray(mask)
    if inside.dtype != bool or inside.shape != (len(lens.windows),):
        raise DataError(
            f"mask is a bool array, one entry for each of the {len(lens.windows)} windows (see summary.windows); "
            f"got {inside.dtype} of shape {inside.shape}. Or type mask='events'."
        )
    return inside, "as given"


def _reach(reach: int) -> str:
    return f"in the {reach} steps up to the cutoff" if reach > 1 else "at the cutoff"


def _cells(h: int, lookback: int, seasons: tuple[int, ...], top: Ints) -> dict[str, Floats]:
    """Weight ``[H, L]`` of each cell in a figure that is linear in the weights."""
    out: dict[str, Floats] = {f"share of {kind} lags": cells / h for kind, cells in kinds(h, lookback, seasons).items()}
    out["mean lag"] = np.broadcast_to(np.arange(lookback - 1, -1, -1.0) / h, (h, lookback))
    far = distances(h, lookback)
    for distance in top:
        cells = far == distance
        out[f"weight at distance {distance}"] = cells / max(1, int(cells.any(axis=1).sum()))
    return out


def _compared(
    name: str, x: Floats, inside: Bools, steps: Ints, lookback: int, level: float = LEVEL
) -> dict[str, str | float]:
    """Difference of two means with an interval, by what each cutoff adds to it."""
    a, b = float(x[inside].mean()), float(x[~inside].mean())
    pull = np.where(inside, (x - a) / inside.sum(), -(x - b) / (~inside).sum())
    cutoffs, at = np.unique(steps, return_inverse=True)
    by_cutoff = np.bincount(at, weights=pull, minlength=len(cutoffs)) * len(cutoffs)
    # Windows share steps of their lookbacks; where cutoffs are few for that, the forecasts' slower drift is all that
    # the variance can be taken from, so the overlap is kept to an eighth of them.
    overlap = max(1, min(overlap_of(cutoffs, lookback), len(cutoffs) // 8))
    low, high, _ = mean_test(np.asarray(a - b + by_cutoff, dtype=np.float64), overlap, level=level)
    return {"figure": name, "inside": a, "outside": b, "difference": a - b, "low": low, "high": high}


def _near(lens: Lens, events: dict[int, Ints], reach: int) -> Bools:
    """Whether an event row lies in the ``reach`` steps up to each cutoff, ``[N]``."""
    out = np.zeros(len(lens.windows), dtype=bool)
    for i, rows in events.items():
        own = np.flatnonzero(lens.windows.entity == i)
        cutoff = lens.windows.cutoff[own]
        rows = np.sort(rows)
        out[own] = np.searchsorted(rows, cutoff, side="right") > np.searchsorted(rows, cutoff - reach, side="right")
    return out


def _outliers(lens: Lens) -> dict[int, Ints]:
    """Rows of each entity whose error stands out, forecast from the newest cutoff before them."""
    import torch

    places = lens.with_truth()
    if not len(places):
        raise DataError("No window has a truth, so no event can be found from errors. Give a mask.")
    cutoffs = np.unique(lens.windows.cutoff[places])
    ahead = min(lens.model.h, int(np.median(np.diff(cutoffs))) if len(cutoffs) > 1 else 1)
    errors = np.empty((len(places), ahead, lens.panel.n_targets))
    with torch.inference_mode():
        for at, look, entity, labels in lens.with_truth_of(places):
            mean = forecast_by(lens.model, look, torch.softmax(look.scores, dim=-1), entity)
            gap = (labels.y - mean)[:, :ahead]
            if labels.observed is not None:
                gap = torch.where(labels.observed[:, :ahead], gap, torch.nan)
            errors[at] = gap.abs().cpu().numpy()
    events: dict[int, Ints] = {}
    windows = lens.windows[places]
    for i in np.unique(windows.entity):
        own = windows.entity == i
        size = errors[own]
        known = [target[~np.isnan(target)] for target in np.moveaxis(size, 2, 0)]
        spread = np.array([NORMAL_MAD * np.median(errors) if len(errors) else np.inf for errors in known])
        out = (size > OUTLIER * np.maximum(spread, 1e-9)).any(axis=2)
        rows = windows.cutoff[own][:, None] + np.arange(1, ahead + 1)
        events[int(i)] = np.unique(rows[out])
    return events

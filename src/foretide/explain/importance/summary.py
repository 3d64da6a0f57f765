"""Which inputs matter, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.evaluation.compare.tests import fewest
from foretide.explain.chance import cutoff_means
from foretide.explain.summary import Summary
from foretide.text import joined
from foretide.typing import Bools, Floats, Ints

if TYPE_CHECKING:
    from foretide.typing import Frame

ALPHA = 0.05
NAMED = 3
"""So many inputs are named of a list."""


@dataclass(frozen=True, eq=False)
class InputImportance(Summary):
    """How much the loss grows when a group of inputs is replaced; ``G`` groups, ``R`` repeats, ``C`` cutoffs.

    Attributes
    ----------
    model, metric : str
        The loss is ``metric`` (mse, mae) in original units, the mean over all observed points.
    names, kinds : tuples of str
        Of the groups; kinds are past, future, past and future, static, lags.
    members : tuple of tuples of str
    loss : float
        Without any replacement.
    increase : ``[G]``
        Loss with the group replaced, the mean over repeats, minus ``loss``.
    low, high : ``[G]``
        Interval of the increase over cutoffs, robust to overlapping forecasts; NaN for too few cutoffs.
    p_value, p_holm : ``[G]``
        That the loss does not grow (Diebold & Mariano by cutoff, one-sided); corrected for the number of groups (Holm).
    by_repeat : ``[G, R]``
        Increase of each draw.
    losses : ``[C]``
        Loss of each cutoff, without replacement.
    gaps : ``[G, C]``
        Increase at each cutoff.
    target_increase, target_loss : ``[G, D]``, ``[D]``
        The same by target.
    times : ``[C]``
        Cutoffs.
    overlap : int
        Neighbouring cutoffs whose forecasts share steps.
    in_sample : bool
        Whether the model learned from rows after the first cutoff.
    level : float
        Of the intervals, in percent.
    """

    model: str
    metric: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    loss: float
    increase: Floats
    low: Floats
    high: Floats
    p_value: Floats
    p_holm: Floats
    by_repeat: Floats
    losses: Floats
    gaps: Floats
    target_increase: Floats
    target_loss: Floats
    targets: tuple[str, ...]
    times: pd.Index
    overlap: int
    in_sample: bool
    level: float
    _backend: str = "pandas"

    @property
    def relative(self) -> Floats:
        """Increase as a share of the loss, ``[G]``; NaN where the loss is zero."""
        return self.increase / self.loss if self.loss > 0 else np.full(len(self.increase), np.nan)

    @property
    def more_than_chance(self) -> Bools:
        """Groups whose replacement makes the loss grow by more than chance, corrected for the number of groups."""
        return (self.increase > 0) & (np.nan_to_num(self.p_holm, nan=1.0) < ALPHA)

    # ---------------------------------------------------------------- tables
    def table(self) -> Frame:
        """One row per group, largest increase first.

        Columns ``group, kind, increase, relative, low, high, p_value, p_holm, more_than_chance, repeat_sd``.
        """
        sd = self.by_repeat.std(axis=1, ddof=1) if self.by_repeat.shape[1] > 1 else np.zeros(len(self.names))
        frame = pd.DataFrame({
            "group": list(self.names), "kind": list(self.kinds), "increase": self.increase, "relative": self.relative,
            "low": self.low, "high": self.high, "p_value": self.p_value, "p_holm": self.p_holm,
            "more_than_chance": self.more_than_chance, "repeat_sd": sd,
        })  # fmt: skip
        return self._frame(frame.sort_values("increase", ascending=False, kind="stable", ignore_index=True))

    def by_target(self) -> Frame:
        """Columns ``group, target, increase, relative``."""
        d = len(self.targets)
        share = self.target_increase / np.where(self.target_loss > 0, self.target_loss, np.nan)
        return self._frame(pd.DataFrame({
            "group": np.repeat(list(self.names), d), "target": list(self.targets) * len(self.names),
            "increase": self.target_increase.reshape(-1), "relative": share.reshape(-1),
        }))  # fmt: skip

    def by_cutoff(self) -> Frame:
        """Columns ``group, cutoff, increase``."""
        return self._frame(pd.DataFrame({
            "group": np.repeat(list(self.names), len(self.losses)),
            "cutoff": np.tile(np.asarray(self.times), len(self.names)), "increase": self.gaps.reshape(-1),
        }))  # fmt: skip

    def tables(self) -> dict[str, pd.DataFrame]:
        """``inputs``: :meth:`table`, with the loss and the level of the intervals in every row."""
        return {"inputs": self._table.assign(metric=self.metric, loss=self.loss, level=self.level)}

    # ---------------------------------------------------------------- words
    def sentences(self) -> list[str]:
        """What the figures say, in plain words."""
        table, name = self._table, self.metric.upper()
        groups = table["group"].astype(str)
        sentences = [self._main(table, name)]
        unused = groups[(table["increase"] == 0) & (table["repeat_sd"] == 0)].tolist()
        if unused:
            sentences.append(f"{self.model} does not use {joined(unused)} at all: no forecast changes.")
        worse = groups[table["high"] < 0].tolist()
        if worse:
            sentences.append(
                f"Replacing {joined(worse)} lowers the {name} (its {self.level:g} % interval is "
                "below zero, not corrected for the number of inputs): without, the model may forecast better."
            )
        if self.in_sample:
            sentences.append(
                f"{self.model} learned from rows after the first of these cutoffs, so what it merely remembers counts "
                "as important. Keep the newest rows from its fit, and measure there."
            )
        return sentences

    def _main(self, table: pd.DataFrame, name: str) -> str:
        if table["p_holm"].isna().all():
            return (
                f"{len(self.losses)} cutoffs are too few to tell importance from chance ({fewest(self.overlap)} are "
                "needed)."
            )
        top = table[table["more_than_chance"]]
        if top.empty:
            which = f"any one of {len(table)} inputs" if len(table) > 1 else "the one input"
            return (
                f"No clear pattern: replacing {which} raises the {name} of {self.model} by no "
                f"more than chance (p below {ALPHA:g}, corrected for their number)."
            )
        shown = [f"{r.group} (+{r.relative:.0%})" for r in top.head(NAMED).itertuples()]
        return (
            f"{self.model} relies most on {joined(shown)}: so much its {name} grows when they are replaced. "
            f"{len(top)} of {len(table)} inputs matter by more than chance (p below {ALPHA:g}, corrected for their "
            "number)."
        )

    def __repr__(self) -> str:
        n = int(self.more_than_chance.sum())
        return (
            f"InputImportance({self.model}: {n} of {len(self.names)} inputs matter by more than chance, "
            f"{self.metric} {self.loss:.4g}, {len(self.losses)} cutoffs)"
        )

    def _repr_html_(self) -> str:
        return super()._repr_html_() + self._table.to_html(index=False, escape=True)

    @property
    def _table(self) -> pd.DataFrame:
        return self._pandas("table")["table"]


@dataclass(frozen=True, eq=False)
class Losses:
    """Means of the losses of points without a replacement, and for each group and repeat: ``n = 1 + G R`` of them.

    Attributes
    ----------
    by_cutoff : ``[n, C]``
    by_target : ``[n, D]``
    whole : ``[n]``
    counted : bool array
        Which of the cutoffs are the ``C`` with a truth.
    """

    by_cutoff: Floats
    by_target: Floats
    whole: Floats
    counted: Bools

    @classmethod
    def of(cls, points: Iterable[Floats], known: Bools, cutoff: Ints) -> Losses:
        """Reduce losses of points ``[W, H, D]`` to cutoffs, numbered ``[W]``; points without a truth are left out."""
        windows, targets = [], []
        for losses in (np.where(known, each, 0.0) for each in points):
            windows.append(losses.sum(axis=(1, 2)))
            targets.append(losses.sum(axis=(0, 1)))
        sums = np.array(targets)
        by_cutoff = cutoff_means(np.array(windows), known.sum(axis=(1, 2)), cutoff)
        counted = ~np.isnan(by_cutoff[0])
        by_target = sums / np.maximum(known.sum(axis=(0, 1)), 1)
        return cls(by_cutoff[:, counted], by_target, sums.sum(axis=1) / known.sum(), counted)

    def increases(self, n_groups: int) -> tuple[Floats, Floats, Floats]:
        """Differences to no replacement: means over repeats, ``[G, C]`` and ``[G, D]``; by repeat, ``[G, R]``."""
        # Differences are averaged, not losses: what changes nothing has a difference of exactly zero.
        cutoffs, targets, whole = (
            (each[1:] - each[0]).reshape(n_groups, -1, *each.shape[1:])
            for each in (self.by_cutoff, self.by_target, self.whole)
        )
        return cutoffs.mean(axis=1), targets.mean(axis=1), whole

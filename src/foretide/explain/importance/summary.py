"""Which inputs matter, as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.reading.frames import as_backend
from foretide.evaluation.compare.tests import Comparison, diebold_mariano, fewest, holm
from foretide.text import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

    Floats = NDArray[np.float64]

ALPHA = 0.05
NAMED = 3
"""So many inputs are named of a list."""


@dataclass(frozen=True, eq=False)
class InputImportance:
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
    times: Any
    overlap: int
    in_sample: bool
    level: float
    _backend: str = "pandas"

    @property
    def relative(self) -> Floats:
        """Increase as a share of the loss, ``[G]``; NaN where the loss is zero."""
        return self.increase / self.loss if self.loss > 0 else np.full(len(self.increase), np.nan)

    @property
    def more_than_chance(self) -> NDArray[np.bool_]:
        """Groups whose replacement makes the loss grow by more than chance, corrected for the number of groups."""
        return (self.increase > 0) & (np.nan_to_num(self.p_holm, nan=1.0) < ALPHA)

    # ---------------------------------------------------------------- tables
    def table(self) -> Any:
        """One row per group, largest increase first.

        Columns ``group, kind, increase, relative, low, high, p_value, p_holm, more_than_chance, repeat_sd``.
        """
        return as_backend(self._table(), self._backend)

    def by_target(self) -> Any:
        """Columns ``group, target, increase, relative``."""
        d = len(self.targets)
        share = self.target_increase / np.where(self.target_loss > 0, self.target_loss, np.nan)
        frame = pd.DataFrame({
            "group": np.repeat(list(self.names), d), "target": list(self.targets) * len(self.names),
            "increase": self.target_increase.reshape(-1), "relative": share.reshape(-1),
        })  # fmt: skip
        return as_backend(frame, self._backend)

    def by_cutoff(self) -> Any:
        """Columns ``group, cutoff, increase``."""
        frame = pd.DataFrame({
            "group": np.repeat(list(self.names), len(self.losses)),
            "cutoff": np.tile(np.asarray(self.times), len(self.names)), "increase": self.gaps.reshape(-1),
        })  # fmt: skip
        return as_backend(frame, self._backend)

    # ---------------------------------------------------------------- words
    def sentences(self) -> list[str]:
        """What the figures say, in plain words."""
        table, name = self._table(), self.metric.upper()
        if table["p_holm"].isna().all():
            said = [
                f"{len(self.losses)} cutoffs are too few to tell importance from chance ({fewest(self.overlap)} are "
                "needed)."
            ]
        elif not table["more_than_chance"].any():
            which = f"any one of {len(table)} inputs" if len(table) > 1 else "the one input"
            said = [
                f"No clear pattern: replacing {which} raises the {name} of {self.model} by no "
                f"more than chance (p below {ALPHA:g}, corrected for their number)."
            ]
        else:
            top = table[table["more_than_chance"]]
            shown = [f"{r.group} (+{r.relative:.0%})" for r in top.head(NAMED).itertuples()]
            said = [
                f"{self.model} relies most on {joined(shown)}: so much its {name} grows when they are replaced. "
                f"{len(top)} of {len(table)} inputs matter by more than chance (p below {ALPHA:g}, corrected for their "
                "number)."
            ]
        unused = table.loc[(table["increase"] == 0) & (table["repeat_sd"] == 0), "group"].tolist()
        if unused:
            said.append(f"{self.model} does not use {joined([str(u) for u in unused])} at all: no forecast changes.")
        worse = table.loc[table["high"] < 0, "group"].tolist()
        if worse:
            said.append(
                f"Replacing {joined([str(w) for w in worse])} lowers the {name} (its {self.level:g} % interval is "
                "below zero, not corrected for the number of inputs): without, the model may forecast better."
            )
        if self.in_sample:
            said.append(
                f"{self.model} learned from rows after the first of these cutoffs, so what it merely remembers counts "
                "as important. Fit with until=... and give a panel that goes on."
            )
        return said

    def __repr__(self) -> str:
        n = int(self.more_than_chance.sum())
        return (
            f"InputImportance({self.model}: {n} of {len(self.names)} inputs matter by more than chance, "
            f"{self.metric} {self.loss:.4g}, {len(self.losses)} cutoffs)"
        )

    def _repr_html_(self) -> str:
        import html

        said = "".join(f"<li>{html.escape(s)}</li>" for s in self.sentences())
        return f"<p>{html.escape(repr(self))}</p><ul>{said}</ul>{self._table().to_html(index=False, escape=True)}"

    def _table(self) -> pd.DataFrame:
        sd = self.by_repeat.std(axis=1, ddof=1) if self.by_repeat.shape[1] > 1 else np.zeros(len(self.names))
        frame = pd.DataFrame({
            "group": list(self.names), "kind": list(self.kinds), "increase": self.increase, "relative": self.relative,
            "low": self.low, "high": self.high, "p_value": self.p_value, "p_holm": self.p_holm,
            "more_than_chance": self.more_than_chance, "repeat_sd": sd,
        })  # fmt: skip
        return frame.sort_values("increase", ascending=False, kind="stable", ignore_index=True)


class Reducer:
    """Means of the losses of points over cutoffs, targets and all; points without a truth are left out.

    Parameters
    ----------
    panel : Panel
    windows : Windows
    seen : bool ``[W, H, D]``
        Points whose truth is known.
    """

    def __init__(self, panel: Panel, windows: Windows, seen: NDArray[np.bool_]) -> None:
        self.panel, self.seen, self.h = panel, seen, seen.shape[1]
        steps, self._where = np.unique(windows.steps(panel), return_inverse=True)
        count = np.bincount(self._where, weights=seen.sum(axis=(1, 2)), minlength=len(steps))
        self._used, self._count = count > 0, count[count > 0]
        self._points = np.maximum(seen.sum(axis=(0, 1)), 1)
        self.steps = steps[self._used]
        distance = int(np.diff(self.steps).min()) if len(self.steps) > 1 else self.h
        self.overlap = -(-self.h // distance)

    def __call__(self, points: Floats) -> tuple[Floats, Floats, float]:
        """Losses of points ``[W, H, D]`` -> means by cutoff ``[C]``, by target ``[D]``, and over all."""
        known = np.where(self.seen, points, 0.0)
        total = np.bincount(self._where, weights=known.sum(axis=(1, 2)), minlength=len(self._used))
        by_target = known.sum(axis=(0, 1))
        return total[self._used] / self._count, by_target / self._points, float(by_target.sum() / self.seen.sum())


def summarise(
    about: tuple[str, str, bool, float],
    reducer: Reducer,
    groups: Sequence[tuple[str, str, tuple[str, ...]]],
    plain: tuple[Floats, Floats, float],
    replaced: Sequence[Sequence[tuple[Floats, Floats, float]]],
) -> InputImportance:
    """Average over repeats, and test against no replacement.

    Parameters
    ----------
    about : (model, metric, in_sample, level)
    reducer : Reducer
    groups : sequence of (name, kind, members)
    plain : means as a reducer gives them
    replaced : the same for each group and repeat
    """
    model, metric, in_sample, level = about
    panel, (losses, by_target, loss) = reducer.panel, plain
    # Differences are averaged, not losses: what changes nothing has a difference of exactly zero.
    gaps = np.array([np.mean([r[0] - losses for r in repeats], axis=0) for repeats in replaced])
    by_repeat = np.array([[r[2] - loss for r in repeats] for repeats in replaced])
    of_targets = np.array([np.mean([r[1] - by_target for r in repeats], axis=0) for repeats in replaced])
    tests = [_test(own, reducer.overlap) for own in gaps]
    low, high = np.array([(np.nan, np.nan) if t is None else t.interval(level) for t in tests]).T
    p = np.array([np.nan if t is None else t.p_value for t in tests])
    names, kinds, members = zip(*groups, strict=True)
    return InputImportance(
        model, metric, names, kinds, members, loss, by_repeat.mean(axis=1), low, high, p, holm(p.tolist()),
        by_repeat, losses, gaps, of_targets, by_target, panel.targets,
        panel.grid.output_times(reducer.steps), reducer.overlap, in_sample, level, panel.names.backend,
    )  # fmt: skip


def _test(gaps: Floats, overlap: int) -> Comparison | None:
    if len(gaps) < fewest(overlap):
        return None
    return diebold_mariano(gaps, np.zeros_like(gaps), h=overlap, alternative="greater")

"""The folds of a backtest, and the one block of a run: what is learned from, and where forecasts begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foretide.data.splits import Split
from foretide.evaluation.rolling.dates import moment

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.typing import Json, Time


class BacktestWarning(UserWarning):
    """Something about a backtest makes its figures worth less than they seem."""


@dataclass(frozen=True)
class Fold:
    """One origin of a backtest.

    Attributes
    ----------
    index : int
        From 0, oldest first.
    cutoff : int
        Grid step of the last observed step.
    time : time
        The same, as the user knows it.
    fit : int
        Index of the fold whose fit is used; its own where models are fitted anew.
    """

    index: int
    cutoff: int
    time: Time
    fit: int

    @property
    def refits(self) -> bool:
        """Whether models are fitted anew for this fold."""
        return self.fit == self.index


Refit = bool | int | Callable[[Fold], bool]


@dataclass(frozen=True)
class Plan:
    """All folds of a backtest.

    Attributes
    ----------
    h, step, gap : int
        Horizon; steps between neighbouring cutoffs; steps between the end of the training part and the cutoff.
    train_size : int or None
        Steps of a sliding training part; None: it expands from the first step on.
    val_size : int or None
        Steps at the end of the training part that are kept for validation; None: what each model takes by itself.
    season : int
        Season of baselines and scaled measures, found on the first training part unless given.
    folds : tuple of Fold
    split : Split, optional
        Of a run, which is a backtest with one block: models learn from the training and validation part, and forecast
        every window of the test part; each series its own parts, where the split has them.
    """

    h: int
    step: int
    gap: int
    train_size: int | None
    val_size: int | None
    season: int
    folds: tuple[Fold, ...]
    split: Split | None = None

    @property
    def blocks(self) -> tuple[tuple[Fold, ...], ...]:
        """Folds that share one fit, in order; each block is one fit and one vectorised pass."""
        fits = sorted({fold.fit for fold in self.folds})
        return tuple(tuple(fold for fold in self.folds if fold.fit == fit) for fit in fits)

    @property
    def overlap(self) -> int:
        """How many neighbouring cutoffs forecast one and the same step, at most."""
        return -(-self.h // self.step)

    def fit_end(self, block: Sequence[Fold]) -> int:
        """Grid step of the last step that a block's fit may see.

        Parameters
        ----------
        block : sequence of Fold
            Folds that share a fit.

        Returns
        -------
        int
        """
        return block[0].cutoff - self.gap if self.split is None else self.split.val_end

    def train_end(self, block: Sequence[Fold]) -> int | None:
        """Grid step of a block's last training step where validation has a given size, else None.

        Parameters
        ----------
        block : sequence of Fold
            Folds that share a fit.

        Returns
        -------
        int or None
        """
        return None if self.val_size is None else self.fit_end(block) - self.val_size

    def part(self, panel: Panel, block: Sequence[Fold]) -> Panel:
        """Return the panel that a block is fitted on: all of it, or from the start of a sliding training part on.

        Parameters
        ----------
        panel : Panel
        block : sequence of Fold
            Folds that share a fit.

        Returns
        -------
        Panel
        """
        if self.split is not None:
            return panel.head(self.split.rows(panel)[1])
        if self.train_size is None:
            return panel
        start = self.fit_end(block) - self.train_size + 1
        return panel if start <= int(panel.first.min()) else panel.since(moment(panel, start))

    def known(self, panel: Panel, block: Sequence[Fold] | None = None) -> Panel:
        """Return the rows that the fit of a block (of the first one) may see.

        Parameters
        ----------
        panel : Panel
        block : sequence of Fold, optional
            Folds that share a fit.

        Returns
        -------
        Panel
        """
        block = block or self.blocks[0]
        part = self.part(panel, block)
        return part if self.split is not None else part.until(moment(panel, self.fit_end(block)))

    def fit_options(self, panel: Panel, block: Sequence[Fold]) -> dict[str, Time]:
        """Return ``until`` and ``train_until`` of a block's fit on :meth:`part`, where they are not left to models.

        Parameters
        ----------
        panel : Panel
        block : sequence of Fold
            Folds that share a fit.

        Returns
        -------
        dict
        """
        if self.split is None:
            end = self.train_end(block)
            validation = {} if end is None else {"train_until": moment(panel, end)}
            return {"until": moment(panel, self.fit_end(block)), **validation}
        first, last = panel.first, panel.first + panel.observed - 1
        shared = (first <= self.split.train_end) & (last >= self.split.val_end)
        return {"train_until": self.split.train_until} if self.split.own is None and shared.all() else {}

    def origins(self, panel: Panel, block: Sequence[Fold]) -> Windows | list[Time]:
        """Return where a block forecasts from: single windows, or times at which every series is forecast.

        Parameters
        ----------
        panel : Panel
        block : sequence of Fold
            Folds that share a fit.

        Returns
        -------
        Windows or list of Time
        """
        return [fold.time for fold in block] if self.split is None else self.test_windows(panel)

    def test_windows(self, panel: Panel) -> Windows:
        """Return every window of the test part of a run.

        Parameters
        ----------
        panel : Panel

        Returns
        -------
        Windows
        """
        assert self.split is not None
        return self.split.windows(panel, "test", input_size=1, h=self.h, stride=self.step)

    def to_dict(self) -> Json:
        """The plan as JSON.

        Returns
        -------
        dict
        """
        names = ("h", "step", "gap", "train_size", "val_size", "season")
        folds = [{"cutoff": f.cutoff, "time": str(f.time), "fit": f.fit} for f in self.folds]
        split = self.split
        parts = None if split is None else [split.start, split.train_end, split.val_end, split.test_end, split.own]
        return {**{name: getattr(self, name) for name in names}, "folds": folds, "split": parts}

    @classmethod
    def from_dict(cls, found: Json, panel: Panel) -> Plan:
        """Undo :meth:`to_dict`.

        Parameters
        ----------
        found : dict
        panel : Panel

        Returns
        -------
        Plan
        """
        times = panel.grid.output_times([f["cutoff"] for f in found["folds"]])
        folds = tuple(Fold(k, f["cutoff"], times[k], f["fit"]) for k, f in enumerate(found["folds"]))
        parts = found.get("split")
        split = None
        if parts is not None:
            start, train_end, val_end, test_end, own = parts
            split = Split(panel.grid, start, train_end, val_end, test_end, None if own is None else tuple(own))
        return cls(**{k: v for k, v in found.items() if k not in ("folds", "split")}, folds=folds, split=split)

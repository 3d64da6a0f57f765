"""Stage 2: heads on a frozen state, one per bucket of targets, trained side by side on what was computed once."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from foretide.errors import TrainingError
from foretide.heads.base import Distribution, Head, HeadShape, SeriesInfo, for_entities
from foretide.heads.table import make_head
from foretide.training.flat import FlatAdam
from foretide.training.head_step import HeadSteps
from foretide.training.loop import History

if TYPE_CHECKING:
    from foretide.training.stages import Stage

EVALUATED_AT_ONCE = 1024
SMALLEST_RATE = 1e-30


@dataclass(frozen=True, eq=False)
class HeadData:
    """What the heads see of all windows, computed once; in each series' unit.

    Attributes
    ----------
    features : ``[W, H, F]``
        Rolled-out latent states and what is known ahead.
    base, scale : ``[W, H, D]``
        Forecast before any correction, and the size of a correction of one.
    y : ``[W, H, D]``
    observed : bool ``[W, H, D]`` or None
        None: everything was observed.
    entity : int ``[W]``
    """

    features: Tensor
    base: Tensor
    scale: Tensor
    y: Tensor
    observed: Tensor | None
    entity: Tensor

    def __len__(self) -> int:
        return len(self.entity)

    def columns(self, chosen: Sequence[int]) -> HeadData:
        """The same windows with some targets only."""
        where = list(chosen)
        base, scale, y = (t[..., where].contiguous() for t in (self.base, self.scale, self.y))
        observed = None if self.observed is None else self.observed[..., where].contiguous()
        return HeadData(self.features, base, scale, y, observed, self.entity)


class HeadBank(nn.Module):
    """One head per bucket.

    Parameters
    ----------
    heads : mapping
        Bucket -> name of its head; buckets without targets are left out.
    columns : mapping
        Bucket -> positions of its targets.
    shape : HeadShape
        Sizes for all targets together.
    unit : ``[N, D]``
        Original units in one unit of each series.
    options : mapping, optional
        Bucket -> options of its head.
    """

    unit: Tensor

    def __init__(
        self,
        heads: Mapping[str, Any],
        columns: Mapping[str, Sequence[int]],
        shape: HeadShape,
        unit: Tensor,
        options: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.columns = {bucket: list(where) for bucket, where in columns.items() if len(where)}
        self.register_buffer("unit", unit)
        made = {}
        for bucket, where in self.columns.items():
            own = HeadShape(shape.features, len(where), shape.h, shape.entities, shape.private)
            made[bucket] = make_head(heads[bucket], own, **(options or {}).get(bucket, {}))
        self.heads = nn.ModuleDict(made)

    def for_new(self, unit: Tensor) -> HeadBank:
        """Return the heads of entities that were not fitted, by their units ``[N', D]``: what all entities share."""
        new = for_entities(self, len(unit))
        assert isinstance(new, HeadBank)
        new.unit = unit
        return new

    def distribution(self, bucket: str, data: HeadData, chosen: Tensor | slice) -> Distribution:
        """Distribution of a bucket's targets for some windows; ``data`` holds its columns only."""
        return self._distribution(
            bucket, data.features[chosen], data.base[chosen], data.scale[chosen], data.entity[chosen]
        )

    def _distribution(self, bucket: str, features: Tensor, base: Tensor, scale: Tensor, entity: Tensor) -> Distribution:
        head: Any = self.heads[bucket]
        series = None
        if head.needs_series:
            series = SeriesInfo(entity, self.unit[:, self.columns[bucket]][entity])
        distribution: Distribution = head(features, base, scale, series)
        return distribution

    def loss(self, bucket: str, data: HeadData, chosen: Tensor | slice) -> Tensor:
        """Mean loss of a bucket over the observed elements of some windows."""
        return _mean(self.distribution(bucket, data, chosen).loss(data.y[chosen]), data.observed, chosen)

    def begin(self, bucket: str, data: HeadData) -> None:
        """Let a head find its spread from the errors of the base."""
        head: Any = self.heads[bucket]
        rate = self._rates(data)
        series = SeriesInfo(data.entity, self.unit[:, self.columns[bucket]][data.entity], rate[data.entity])
        head.begin(data.base, data.y, series, data.observed)

    def _rates(self, data: HeadData) -> Tensor:
        """Mean of each series ``[N, D]``; never zero, which would silence a series for good: its base may wake up."""
        y = data.y if data.observed is None else data.y * data.observed
        total = torch.zeros(len(self.unit), y.shape[2]).index_add_(0, data.entity, y.mean(dim=1))
        count = torch.bincount(data.entity, minlength=len(self.unit)).clamp(min=1)
        return (total / count[:, None]).clamp(min=SMALLEST_RATE)


def train_heads(
    bank: HeadBank,
    train: HeadData,
    validation: HeadData | None,
    stage: Stage,
    generator: torch.Generator,
    margin: float = 0.0,
) -> History:
    """Train all heads side by side; each is left in its own best validation state.

    The heads share no parameter, so the sum of their losses trains each as if alone. A head that has not got better
    for ``stage.patience`` epochs stays as it was at its best, and when all have stopped, training ends. A head whose
    best validation loss is not lower than its first by the share ``margin`` goes back to where it began: validation
    windows overlap and are few, and the best of many epochs is partly luck.

    Raises
    ------
    TrainingError
        When a loss is not finite.
    """
    parts = {bucket: train.columns(where) for bucket, where in bank.columns.items()}
    checks = {} if validation is None else {b: validation.columns(where) for b, where in bank.columns.items()}
    for bucket, data in parts.items():
        bank.begin(bucket, data)
    steps = HeadSteps(bank, parts)
    try:
        return _train(bank, steps, checks, stage, generator, margin)
    finally:
        steps.flat.release()
        bank.eval()


def _train(
    bank: HeadBank,
    steps: HeadSteps,
    checks: Mapping[str, HeadData],
    stage: Stage,
    generator: torch.Generator,
    margin: float,
) -> History:
    optimizer = FlatAdam(steps.flat, stage.lr, stage.weight_decay)
    history, started = History(), time.perf_counter()
    best = _Best(bank, {b: _validate(bank, b, data) for b, data in checks.items()})
    history.epochs.append({"epoch": 0, "train_loss": math.nan, "val_loss": best.total(), **_since(started)})
    for epoch in range(1, stage.epochs + 1):
        bank.train()
        losses = []
        order = torch.split(torch.randperm(steps.n, generator=generator), stage.batch_size)[: stage.steps]
        for chosen in order:
            losses.append(steps(chosen))
            if stage.clip is not None:
                steps.flat.clip(stage.clip)
            optimizer.step()
        total = torch.stack(losses).sum()
        if not torch.isfinite(total):
            raise TrainingError(
                f"The loss of the heads is {float(total)} in epoch {epoch} of stage 2. Lower lr, or look for extreme "
                "values in the targets: foretide check <file>"
            )
        best.see(bank, {b: _validate(bank, b, data) for b, data in checks.items()}, epoch)
        row = {"epoch": epoch, "train_loss": float(total) / len(order), "val_loss": best.total()}
        history.epochs.append({**row, **_since(started)})
        if checks and stage.patience is not None and epoch - max(best.epochs.values()) >= stage.patience:
            break
    if checks:
        best.restore(bank, margin)
        history.best_epoch, history.parts = max(best.epochs.values()), dict(best.epochs)
    else:
        history.best_epoch = len(history.epochs) - 1
    return history


class _Best:
    """The best validation state of each head, copied: a ``state_dict`` hands out live tensors."""

    def __init__(self, bank: HeadBank, losses: dict[str, float]) -> None:
        self.losses, self.last = dict(losses), dict(losses)
        self.epochs = dict.fromkeys(losses, 0)
        self.states = {bucket: _copy(bank, bucket) for bucket in losses}
        self.first, self.first_states = dict(losses), dict(self.states)

    def see(self, bank: HeadBank, losses: dict[str, float], epoch: int) -> None:
        """Look at the validation losses after an epoch."""
        self.last = losses
        for bucket, loss in losses.items():
            if loss < self.losses[bucket]:
                self.losses[bucket], self.epochs[bucket] = loss, epoch
                self.states[bucket] = _copy(bank, bucket)

    def total(self) -> float:
        """Sum of the heads' losses as last seen; NaN without validation."""
        return sum(self.last.values()) if self.last else math.nan

    def restore(self, bank: HeadBank, margin: float) -> None:
        """Put every head back into its best state, or its first where the best is hardly better."""
        for bucket, state in self.states.items():
            gained = self.first[bucket] - self.losses[bucket]
            if gained < margin * abs(self.first[bucket]):
                state, self.epochs[bucket] = self.first_states[bucket], 0
            bank.heads[bucket].load_state_dict(state)


def _copy(bank: HeadBank, bucket: str) -> dict[str, Tensor]:
    head: Head = bank.heads[bucket]  # type: ignore[assignment]
    return {name: tensor.detach().clone() for name, tensor in head.state_dict().items()}


@torch.no_grad()
def _validate(bank: HeadBank, bucket: str, data: HeadData) -> float:
    bank.eval()
    total, count = 0.0, 0.0
    for low in range(0, len(data), EVALUATED_AT_ONCE):
        part = slice(low, low + EVALUATED_AT_ONCE)
        n = float(data.y[part].numel() if data.observed is None else data.observed[part].sum())
        total += float(bank.loss(bucket, data, part)) * n
        count += n
    return total / max(count, 1.0)


def _mean(elements: Tensor, observed: Tensor | None, chosen: Tensor | slice) -> Tensor:
    if observed is None:
        return elements.mean()
    mask = observed[chosen]
    return (elements * mask).sum() / mask.sum().clamp(min=1)


def _since(started: float) -> dict[str, float]:
    return {"seconds": time.perf_counter() - started}

"""Stage 2: heads on a frozen state, one per bucket of targets, trained side by side on what was computed once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foretide.heads.base import Distribution, Head, HeadShape, SeriesInfo, for_entities
from foretide.heads.table import HeadSpec, make_head
from foretide.training.config import Stage
from foretide.training.fused.heads import HeadSteps
from foretide.training.loop import History, shuffled, train
from foretide.training.means import joined_mean, observed_in, reduce
from foretide.training.stage import StageLearner

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
    local : int ``[V]`` or None
        Place here of each of the ``V`` windows these were taken from, -1 for the others; None: these are all.
    """

    features: Tensor
    base: Tensor
    scale: Tensor
    y: Tensor
    observed: Tensor | None
    entity: Tensor
    local: Tensor | None = None

    def __len__(self) -> int:
        return len(self.entity)

    @property
    def n_all(self) -> int:
        """How many windows these were taken from."""
        return len(self) if self.local is None else len(self.local)

    def here(self, chosen: Tensor) -> Tensor:
        """Places of those windows ``chosen`` among all that are here."""
        own = self.places(chosen)
        return own[own >= 0]

    def places(self, chosen: Tensor) -> Tensor:
        """Places of windows ``chosen`` among all, -1 for those that are not here."""
        return chosen if self.local is None else self.local[chosen]

    def columns(self, chosen: Sequence[int]) -> HeadData:
        """The same windows with some targets only."""
        where = list(chosen)
        base, scale = (t[..., where].contiguous() for t in (self.base, self.scale))
        y = base if self.y is self.base else self.y[..., where].contiguous()
        observed = None if self.observed is None else self.observed[..., where].contiguous()
        return HeadData(self.features, base, scale, y, observed, self.entity)

    def series(self, member: Tensor) -> HeadData:
        """Windows of some series only, ``member`` bool ``[N, D]``; a window of several counts where it is one's."""
        mine = member[self.entity]
        some = torch.nonzero(mine.any(dim=1))[:, 0]
        mine = mine[some]
        observed = None if self.observed is None else self.observed[some]
        if not mine.all():
            along = mine[:, None].expand(-1, self.y.shape[1], -1)
            observed = along if observed is None else observed & along
        local = torch.full((len(self),), -1, dtype=torch.int64)
        local[some] = torch.arange(len(some))
        return HeadData(
            self.features[some], self.base[some], self.scale[some], self.y[some], observed, self.entity[some], local
        )


class HeadBank(nn.Module):
    """One head per bucket.

    Parameters
    ----------
    heads : mapping
        Bucket -> its head; buckets without targets are left out.
    columns : mapping
        Bucket -> positions of its targets.
    shape : HeadShape
        Sizes for all targets together.
    unit : ``[N, D]``
        Original units in one unit of each series.
    members : mapping, optional
        Bucket -> which series of its targets are in it, bool ``[N, targets]``; all by default.
    """

    unit: Tensor

    def __init__(
        self,
        heads: Mapping[str, HeadSpec],
        columns: Mapping[str, Sequence[int]],
        shape: HeadShape,
        unit: Tensor,
        members: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.columns = {bucket: list(where) for bucket, where in columns.items() if len(where)}
        self.register_buffer("unit", unit)
        made = {}
        for bucket, where in self.columns.items():
            own = HeadShape(shape.features, len(where), shape.h, shape.entities, shape.private)
            made[bucket] = make_head(heads[bucket], own)
        self.heads = nn.ModuleDict(made)
        self.members = {b: own for b, own in (members or {}).items() if b in self.columns and not own.all()}

    def for_new(self, unit: Tensor, members: Mapping[str, Tensor]) -> HeadBank:
        """Return the heads of entities that were not fitted, by their units ``[N', D]`` and buckets.

        What belongs to single entities is the mean over those of the same bucket.
        """
        new = copy.copy(self)
        new._modules = {"heads": nn.ModuleDict({bucket: self._shared(bucket, len(unit)) for bucket in self.heads})}
        new._buffers = {"unit": unit}
        new.members = {bucket: own for bucket, own in members.items() if not own.all()}
        return new

    def _shared(self, bucket: str, n: int) -> nn.Module:
        member = self.members.get(bucket)
        return for_entities(self.heads[bucket], n, None if member is None else member.any(dim=1).numpy())

    def part(self, bucket: str, data: HeadData) -> HeadData:
        """What a bucket's head sees of all windows and targets."""
        own = data.columns(self.columns[bucket])
        return own.series(self.members[bucket]) if bucket in self.members else own

    def only(self, buckets: Collection[str]) -> HeadBank:
        """Return a bank of some buckets, whose heads are the same modules."""
        some = copy.copy(self)
        some.columns = {bucket: where for bucket, where in self.columns.items() if bucket in buckets}
        some._modules = {"heads": nn.ModuleDict({bucket: self.heads[bucket] for bucket in some.columns})}
        return some

    def head(self, bucket: str) -> Head:
        """Head of a bucket."""
        head = self.heads[bucket]
        assert isinstance(head, Head)
        return head

    def series(self, bucket: str, entity: Tensor, rate: Tensor | None = None) -> SeriesInfo:
        """What a bucket's head may know of the series of windows ``[B]``; ``rate`` ``[N, D]``."""
        unit = self.unit[:, self.columns[bucket]]
        return SeriesInfo(entity, unit[entity], None if rate is None else rate[entity])

    def distribution(self, bucket: str, data: HeadData, chosen: Tensor | slice) -> Distribution:
        """Distribution of a bucket's targets for some windows; ``data`` holds its columns only."""
        head = self.head(bucket)
        series = self.series(bucket, data.entity[chosen]) if head.needs_series else None
        distribution: Distribution = head(data.features[chosen], data.base[chosen], data.scale[chosen], series)
        return distribution

    def loss(self, bucket: str, data: HeadData, chosen: Tensor | slice) -> Tensor:
        """Mean loss of a bucket over the observed elements of some windows."""
        observed = None if data.observed is None else data.observed[chosen]
        return reduce(self.distribution(bucket, data, chosen).loss(data.y[chosen]), observed)

    def begin(self, bucket: str, data: HeadData) -> None:
        """Let a head find its spread, and the floor of its means, from the errors of the base."""
        series = self.series(bucket, data.entity, self._rates(data))
        self.head(bucket).settle(data.base, data.y, series, data.observed)

    def _rates(self, data: HeadData) -> Tensor:
        """Mean of each series ``[N, D]``; never zero, which would silence a series for good: its base may wake up."""
        y = data.y if data.observed is None else data.y * data.observed
        total = torch.zeros(len(self.unit), y.shape[2]).index_add_(0, data.entity, y.mean(dim=1))
        count = torch.bincount(data.entity, minlength=len(self.unit)).clamp(min=1)
        return (total / count[:, None]).clamp(min=SMALLEST_RATE)


def train_heads(
    bank: HeadBank,
    train_on: HeadData,
    validation: HeadData | None,
    stage: Stage,
    generator: torch.Generator,
    stop: Callable[[int], bool] | None = None,
) -> History:
    """Train all heads side by side; each is left in its own best validation state.

    The heads share no parameter, so the sum of their losses trains each as if alone.

    Parameters
    ----------
    bank : HeadBank
        Trained in place.
    train_on, validation : HeadData
        Without validation windows the last state is kept.
    stage : Stage
    generator : torch.Generator
        Orders the windows.
    stop : callable, optional
        Called after each epoch with its number: whether training ends there.

    Returns
    -------
    History

    Raises
    ------
    TrainingError
        When a loss is not finite.
    """
    parts = {bucket: own for bucket in bank.columns if len(own := bank.part(bucket, train_on))}
    checks = {} if validation is None else {bucket: bank.part(bucket, validation) for bucket in parts}
    for bucket, data in parts.items():
        bank.begin(bucket, data)
    steps = HeadSteps(bank, parts)
    try:
        return train(HeadLearner(bank, steps, checks, stage, generator), stage, stop=stop)
    finally:
        steps.flat.release()
        bank.eval()


class HeadLearner(StageLearner[Tensor]):
    """Learns the heads of all buckets at once.

    Parameters
    ----------
    bank : HeadBank
    steps : HeadSteps
        Knows the training windows.
    checks : mapping
        Bucket -> validation windows; empty without any.
    stage : Stage
    generator : torch.Generator
    """

    def __init__(
        self, bank: HeadBank, steps: HeadSteps, checks: Mapping[str, HeadData], stage: Stage, generator: torch.Generator
    ) -> None:
        super().__init__(steps.flat, stage, generator)
        self.bank, self.steps, self.checks = bank, steps, checks
        self.parts = {bucket: list(bank.heads[bucket].parameters()) for bucket in steps.buckets}

    def batches(self) -> Sequence[Tensor]:
        """Numbers of the windows of each step."""
        self.bank.train()
        places = shuffled(len(self.steps.windows), self.stage.batch_size, self.stage.steps, self.generator)
        return [self.steps.windows[own] for own in places]

    def gradient(self, batch: Tensor) -> Tensor:
        """Of the sum of the heads' losses."""
        return self.steps(batch)

    def validate(self) -> dict[str, float]:
        """Mean loss of each bucket; 0 of one without validation windows, which so stays as it begins."""
        return {bucket: _evaluate(self.bank, bucket, data) for bucket, data in self.checks.items()}

    def describe(self, batch: Tensor) -> str:
        """Numbers of windows."""
        shown = ", ".join(str(number) for number in sorted(batch.tolist())[:3])
        return f"windows {shown} and {len(batch) - 3} more" if len(batch) > 3 else f"windows {shown}"

    @property
    def advice(self) -> tuple[str, str]:
        """Name the settings that keep a loss finite."""
        return f"loss of the heads in {self.stage.name}", f"Lower head_lr (now {self.stage.lr:g}), set clip=1.0"


@torch.no_grad()
def _evaluate(bank: HeadBank, bucket: str, data: HeadData) -> float:
    bank.eval()
    parts = [slice(low, low + EVALUATED_AT_ONCE) for low in range(0, len(data), EVALUATED_AT_ONCE)]
    counts = [observed_in(data.y[part], None if data.observed is None else data.observed[part]) for part in parts]
    return joined_mean([float(bank.loss(bucket, data, part)) for part in parts], counts)

"""A fitted LAVAR as one graph: state, rollout, heads and guardrails around a base that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from foretide.data.counts import BUCKETS
from foretide.errors import ConfigError
from foretide.forecasters.lavar.features import NOTHING
from foretide.forecasters.onnx.port import Ending, Port, families_of, layout_as_seen, meanings_of, parameters_of
from foretide.forecasters.onnx.values import filled
from foretide.heads.table import mask_of
from foretide.training.head_bank import HeadData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foretide.forecasters.fitted import Fitted
    from foretide.forecasters.lavar.lavar import LAVAR
    from foretide.forecasters.lavar.parts import Parts
    from foretide.heads.base import Distribution
    from foretide.typing import Json

TRACES = {"latent": "the rolled-out latent state [batch, steps ahead, states], in standard units"}


class LavarGraph(nn.Module):
    """What LAVAR makes of a base: the trace ``base`` of ``predict``, which is no network's work.

    Parameters
    ----------
    parts : Parts
    fitted : Fitted
    h : int
    uses_future : bool
    """

    location: Tensor
    scale: Tensor
    still: Tensor
    unit: Tensor
    positive: Tensor
    rates: Tensor
    buckets: Tensor
    upper: Tensor
    nonnegative: Tensor
    known_location: Tensor
    known_scale: Tensor
    state_location: Tensor
    state_scale: Tensor

    def __init__(self, parts: Parts, fitted: Fitted, h: int, *, uses_future: bool) -> None:
        super().__init__()
        self.h, self.parts, self.fitted = h, parts, fitted
        self.model, self.heads = parts.state.model.eval(), parts.bank.heads
        seen = layout_as_seen(fitted, future=uses_future)
        self.targets, ahead, preparation = seen.targets, parts.known_ahead, parts.preparation
        calendar = preparation.calendar.names(seen.grid) if preparation.calendar and ahead else ()
        # Columns that are closed on are read even where no head sees them.
        self.reads_known = bool(ahead and seen.future)
        known = seen.future if ahead or fitted.closures.levels else ()
        self.ports = tuple(self._ports(seen.targets + seen.past, known, calendar))
        self.ending = Ending(fitted, seen.targets, known, calendar)
        tables: dict[str, object] = {
            "location": preparation.location, "scale": preparation.scale, "still": preparation.scale == 1.0,
            "unit": parts.unit, "positive": parts.positive, "rates": parts.rates, "buckets": parts.buckets,
            "upper": parts.guard.upper, "nonnegative": parts.guard.nonnegative,
            "known_location": preparation.known_location, "known_scale": preparation.known_scale,
            "state_location": parts.state.location, "state_scale": parts.state.scale,
        }  # fmt: skip
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(np.array(table)))

    @classmethod
    def of(cls, model: LAVAR) -> LavarGraph:
        """Return the graph of a fitted LAVAR.

        Raises
        ------
        ConfigError
            Where similar windows, or a gate on long silence, are part of it: they read the whole history.
        """
        parts = model._parts()
        assert model._fitted is not None
        for found, what, how in (
            (parts.pooled, "looks up similar windows of the past", 'distribution="errors"'),
            (parts.guard.gate, "counts the silent steps of the whole history", "gate=None"),
        ):
            if found is not None:
                raise ConfigError(
                    f"{model.name} {what} when it forecasts, which a graph cannot. Fit it without: "
                    f"{type(model).__name__}(h={model.h}, {how}, ...).fit(panel)"
                )
        return cls(parts, model._fitted, model.h, uses_future=model.uses_future)

    def _ports(self, past: tuple[str, ...], known: tuple[str, ...], calendar: tuple[str, ...]) -> Iterator[Port]:
        order, d = self.model.config.order, len(self.targets)
        yield Port("past", "float64", (order, len(past)), "original values of the last steps, oldest first", past)
        yield Port("entity", "int64", (), "position of the series' entity in `ids`")
        if known:
            yield Port("known", "float64", (self.h, len(known)), "known-future columns of the steps ahead", known)
        if calendar:
            yield Port("calendar", "float32", (self.h, len(calendar)), "calendar of the steps ahead", calendar)
        meaning = "what LAVAR's base forecasts, in original units: see the documentation"
        yield Port("base", "float64", (self.h, d), meaning, self.targets)

    def facts(self) -> Json:
        """Sizes that a runner needs, and the bucket of each series, as JSON."""
        names = [[BUCKETS[code] for code in own] for own in self.parts.buckets]
        return {"input_size": self.model.config.order, "before": 0, "h": self.h, "buckets": names}

    def forward(
        self, past: Tensor, entity: Tensor, base: Tensor, known: Tensor | None = None, calendar: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Forecast a batch: ``mean``, parameters of the distributions, and the latent path, by name."""
        latent, groups = self._distributions(past, entity, base, known, calendar)
        unit = self.unit[entity][:, None]
        mean = torch.zeros_like(base)
        for bucket, (columns, distribution) in groups.items():
            own = self._point(bucket, columns, distribution, base[..., columns], entity)
            member = (self.buckets[entity][:, columns] == BUCKETS.index(bucket))[:, None]
            mean[..., columns] = torch.where(member, own, mean[..., columns])
        below = self.nonnegative[entity][:, None] & (mean < 0)
        mean = torch.minimum(torch.where(below, 0.0, mean), self.upper[entity][:, None])
        mean = mean.round() if self.parts.guard.whole else mean
        found = parameters_of([*_parts(groups)], unit, torch.zeros_like(unit))
        return {**self.ending(mean, past, known, calendar), **found, "latent": latent}

    def describe(self, example: dict[str, Tensor]) -> tuple[list[Json], dict[str, str]]:
        """Return the families of the distributions, and what every further output means."""
        groups = [*_parts(self._distributions(**example)[1])]
        return families_of(groups, self.targets), meanings_of(groups) | TRACES

    def _distributions(
        self, past: Tensor, entity: Tensor, base: Tensor, known: Tensor | None = None, calendar: Tensor | None = None
    ) -> tuple[Tensor, dict[str, tuple[list[int], Distribution]]]:
        """Return the states ahead, and the distribution of each bucket's targets."""
        d, config = base.shape[2], self.model.config
        values = filled(((past - self.location[entity][:, None]) / self.scale[entity][:, None]).float())
        moving = torch.where(self.still[entity][:, None], 0.0, values)
        read = {"both": moving, "past": moving[..., d:], "targets": moving[..., :d]}[self.parts.state.source]
        rolled = self.model.rollout(self.model.encode(read), self.h).double()
        latent = (rolled - self.state_location) / self.state_scale
        features = [latent.float()]
        if known is not None and self.reads_known:
            features.append(((known - self.known_location) / self.known_scale).float())
        if calendar is not None:
            features.append(calendar)
        if self.parts.own_history:
            recent = torch.cat([values[:, -1, :d], values[:, -config.order :, :d].mean(dim=1)], dim=1)
            features.append(recent[:, None].expand(-1, self.h, -1))
        scaled = (base / self.unit[entity][:, None]).float()
        size = torch.where(self.positive[entity][:, None], scaled.clamp(min=0.0), 1.0)
        features += [scaled] if self.parts.own_history else []
        seen, found = torch.cat(features, dim=2), {}
        for bucket, columns in self.parts.bank.columns.items():
            own = HeadData(seen, scaled[..., columns], size[..., columns], scaled[..., columns], None, entity)
            found[bucket] = columns, self.parts.bank.distribution(bucket, own, slice(None))
        return latent, found

    def _point(
        self, bucket: str, columns: list[int], distribution: Distribution, before: Tensor, entity: Tensor
    ) -> Tensor:
        """Return point forecasts in original units, as :func:`foretide.forecasters.lavar.features.answers` does."""
        routes = self.parts.routes(bucket)
        counts, corrects = (torch.from_numpy(mask_of(routes, len(columns), name)) for name in ("counts", "corrects"))
        point = distribution.mean().double() * self.unit[entity][:, None, columns]
        silent = (self.rates[entity][:, columns] == 0)[:, None]
        point = torch.where(silent & counts & corrects, before, point)
        still = (self.positive[entity][:, None, columns] & (before == 0)) | (point < NOTHING)
        return torch.where(counts & still, 0.0, point)


def _parts(groups: dict[str, tuple[list[int], Distribution]]) -> Iterator[tuple[list[int], Distribution]]:
    """Yield positions among all targets, and their distribution, of all buckets."""
    for columns, distribution in groups.values():
        for at, own in distribution.groups():
            yield columns if at is None else [columns[j] for j in at], own

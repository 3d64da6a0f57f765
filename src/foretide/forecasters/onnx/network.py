"""A fitted network with its preparation as one graph: original values of a window in, its forecast out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from foretide.forecasters.onnx.port import (
    Ending,
    Port,
    families_of,
    groups_of,
    layout_as_seen,
    meanings_of,
    parameters_of,
)
from foretide.forecasters.onnx.values import filled
from foretide.models.inputs import Inputs, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foretide.forecasters.fitted import Fitted
    from foretide.forecasters.networks.neural import NeuralForecaster
    from foretide.training.network import Network
    from foretide.training.prepare import Preparation
    from foretide.typing import Json

TRACES = {"attention": "attention weights [batch, heads, steps ahead, lags], oldest lag first; each row sums to one"}


class NetworkGraph(nn.Module):
    """What ``predict`` does with one batch of windows of fitted series.

    Scales are applied in double precision, as the preparation applies them.

    Parameters
    ----------
    network : Network
    preparation : Preparation
    fitted : Fitted
    uses_future : bool
    """

    location: Tensor
    scale: Tensor
    known_location: Tensor
    known_scale: Tensor
    static_location: Tensor
    static_scale: Tensor

    def __init__(self, network: Network, preparation: Preparation, fitted: Fitted, *, uses_future: bool) -> None:
        super().__init__()
        self.network = network.eval()
        self.shape: Shape = network.backbone.shape
        self.spans = [int(span) for span in preparation.trails]
        self.trailing = [int(column) for column in preparation.trail_columns]
        # Columns that say closed are read even by a network that looks at none.
        self.reads_known = uses_future
        seen = layout_as_seen(fitted, future=uses_future or bool(fitted.closures.levels))
        calendar = () if preparation.calendar is None else preparation.calendar.names(seen.grid)
        self.ports = tuple(self._ports(seen.targets + seen.past, seen.future, calendar, seen.static.names))
        self.targets = seen.targets
        self.ending = Ending(fitted, seen.targets, seen.future, calendar)
        for name in ("location", "scale", "known_location", "known_scale", "static_location", "static_scale"):
            self.register_buffer(name, torch.from_numpy(np.array(getattr(preparation, name), dtype=np.float64)))

    @classmethod
    def of(cls, model: NeuralForecaster) -> NetworkGraph:
        """Return the graph of a fitted forecaster."""
        network, preparation = model._parts()
        assert model._fitted is not None
        return cls(network, preparation, model._fitted, uses_future=model.uses_future)

    @property
    def before(self) -> int:
        """Steps before the lookback that trailing means of known-future columns read."""
        return max((span - 1 for span in self.spans), default=0)

    def _ports(
        self, past: tuple[str, ...], known: tuple[str, ...], calendar: tuple[str, ...], static: tuple[str, ...]
    ) -> Iterator[Port]:
        size, h = self.shape.input_size, self.shape.h
        yield Port("past", "float64", (size, len(past)), "original values of the lookback, oldest first", past)
        yield Port("step", "int64", (), "steps from `start` to the last observed one")
        yield Port("entity", "int64", (), "position of the series' entity in `ids`")
        if known:
            rows = f"known-future columns of {self.before + size} steps up to the cutoff and of the {h} after it"
            yield Port("known", "float64", (self.before + size + h, len(known)), rows, known)
        if calendar:
            yield Port("calendar", "float32", (size + h, len(calendar)), "calendar of lookback and horizon", calendar)
        if static:
            yield Port("static", "float64", (len(static),), "static columns", static)
        if self.network.backbone.frame.level == "base":
            meaning = "what the base forecasts, original units: see the documentation"
            yield Port("base", "float64", (h, self.shape.targets), meaning, past[: self.shape.targets])

    def forward(
        self, past: Tensor, step: Tensor, entity: Tensor, known: Tensor | None = None, calendar: Tensor | None = None,
        static: Tensor | None = None, base: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Forecast a batch: ``mean``, parameters of the distribution, and traces, by name."""
        inputs, unit, zero = self._inputs(past, step, entity, known, calendar, static, base)
        distribution, traces = self.network(inputs)
        mean = distribution.mean().double() * unit + zero
        size = self.shape.input_size
        ahead = None if known is None else known[:, self.before + size :]
        days = None if calendar is None else calendar[:, size:]
        found = self.ending(mean, past, ahead, days)
        return {**found, **parameters_of(groups_of(distribution, unit.shape[2]), unit, zero), **traces}

    def describe(self, example: dict[str, Tensor]) -> tuple[list[Json], dict[str, str]]:
        """Return the families of the distribution, and what every further output means."""
        distribution, traces = self.network(self._inputs(**example)[0])
        groups = groups_of(distribution, self.shape.targets)
        return families_of(groups, self.targets), meanings_of(groups) | {
            name: TRACES.get(name, name) for name in traces
        }

    def facts(self) -> Json:
        """Sizes that a runner needs, as JSON."""
        return {"input_size": self.shape.input_size, "before": self.before, "h": self.shape.h}

    def _inputs(
        self, past: Tensor, step: Tensor, entity: Tensor, known: Tensor | None = None, calendar: Tensor | None = None,
        static: Tensor | None = None, base: Tensor | None = None,
    ) -> tuple[Inputs, Tensor, Tensor]:  # fmt: skip
        """Return what the network reads, and unit and zero of each target ``[B, 1, D]``."""
        d, size = self.shape.targets, self.shape.input_size
        location, scale = self.location[entity][:, None], self.scale[entity][:, None]
        zero, unit = location[..., :d], scale[..., :d]
        both = self._known(known, calendar)
        if static is not None:
            static = ((static - self.static_location) / self.static_scale).float()
            static = torch.where(static.isnan(), 0.0, static)
        inputs = Inputs(
            filled(((past - location) / scale).float()), step, entity, self.shape.h,
            None if both is None else both[:, :size], None if both is None else both[:, size:], static,
            None if base is None else ((base - zero) / unit).float(),
        )  # fmt: skip
        return inputs, unit, zero

    def _known(self, known: Tensor | None, calendar: Tensor | None) -> Tensor | None:
        """Known-future columns, their trailing means and the calendar, ``[B, L + H, G]``."""
        parts = [] if calendar is None else [calendar]
        if known is not None and self.reads_known:
            scaled = ((known - self.known_location) / self.known_scale).float()
            means = [self._means(scaled, span) for span in self.spans]
            parts = [filled(scaled)[:, self.before :], *means, *parts]
        return torch.cat(parts, dim=2) if parts else None

    def _means(self, scaled: Tensor, span: int) -> Tensor:
        """Mean of the last ``span`` rows up to each, of the columns that have such means.

        Rows before the first value do not count: there are none.
        """
        chosen = scaled[:, :, self.trailing]
        begun = (chosen.isfinite().float().cumsum(dim=1) > 0).double()
        both = torch.cat([filled(chosen).double(), begun], dim=2)
        total = nn.functional.pad(both.cumsum(dim=1), (0, 0, 1, 0))
        length, first = self.shape.input_size + self.shape.h, self.before - span + 1
        sums, counts = (total[:, self.before + 1 :] - total[:, first : first + length]).chunk(2, dim=2)
        return (sums / counts.clamp(min=1.0)).float()

"""The latent state of a panel: encoded once, rolled out once, in standard units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from foretide.data.panel import Panel
from foretide.data.windows import Windows, first_rows
from foretide.models.config import LatentConfig
from foretide.models.latent import LatentModel
from foretide.models.linear_start import start_linear
from foretide.training.config import Stage
from foretide.training.latent import Stretch, latent_path, rolled_out, train_latent
from foretide.training.loop import History
from foretide.training.prepare import Preparation
from foretide.training.saved import arrays_of, prefixed, put_weights, restored, under, weights_of
from foretide.typing import Array, Floats, Singles


@dataclass(frozen=True, eq=False)
class LatentState:
    """A trained encoder with its dynamics.

    Attributes
    ----------
    model : LatentModel
    location, scale : ``[K]``
        Of the states over the training part; states are handed on in these units.
    source : {"past", "targets", "both"}
        What the encoder reads.
    """

    model: LatentModel
    location: Floats
    scale: Floats
    source: str

    @classmethod
    def fit(
        cls, panel: Panel, preparation: Preparation, windows: tuple[Windows, Windows], h: int, config: LatentConfig,
        source: str, stage: Stage, generator: torch.Generator, *, standard: bool = True,
    ) -> tuple[LatentState, History]:  # fmt: skip
        """Stage 1: train on training windows, stop on validation windows; ``standard``: states in standard units."""
        x = torch.from_numpy(covariates(panel, preparation, source))
        model = LatentModel(x.shape[1], h, config)
        train, validation = (stretches(panel, part) for part in windows)
        if config.closed_form:
            start_linear(model, x, [(s.first - config.order, s.first + s.count + h) for s in train])
        history = train_latent(model, x, train, validation, stage, generator=generator)
        if not standard:
            return cls(model, np.zeros(config.latent), np.ones(config.latent), source), history
        rows = torch.cat([torch.arange(s.first, s.first + s.count) for s in train])
        z = latent_path(model, x)[rows].double().numpy()
        scale = z.std(axis=0)
        return cls(model, z.mean(axis=0), np.where(scale > 1e-9, scale, 1.0), source), history

    def read(
        self, panel: Panel, preparation: Preparation, windows: Windows, h: int, *, all_rows: bool = False
    ) -> tuple[Floats, Floats]:
        """Return the states of all rows ``[R, K]`` and the states expected ahead of each window ``[W, h, K]``.

        Rows after the last cutoff of an entity are not looked at, unless ``all_rows`` says that they belong to the
        part one may learn from; else their states are those of a row of zeros.
        """
        x = covariates(panel, preparation, self.source)
        row0 = first_rows(panel.length)
        last = np.full(panel.n_entities, -1, dtype=np.int64)
        np.maximum.at(last, windows.entity, windows.cutoff)
        for i in range(panel.n_entities if not all_rows else 0):
            x[row0[i] + last[i] + 1 : row0[i] + panel.length[i]] = 0.0
        raw = latent_path(self.model, torch.from_numpy(x))
        ahead = rolled_out(self.model, raw, torch.from_numpy(row0[windows.entity] + windows.cutoff), h)
        return self._standard(raw), self._standard(ahead)

    def _standard(self, z: torch.Tensor) -> Floats:
        return np.asarray((z.double().numpy() - self.location) / self.scale)

    def arrays(self) -> dict[str, Array]:
        """Everything that is an array."""
        return {**arrays_of(self), **prefixed("model.", weights_of(self.model))}

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], model: LatentModel, source: str) -> LatentState:
        """Rebuild from :meth:`arrays` and a model of the same sizes, which gets the weights."""
        put_weights(model, under("model.", arrays))
        return restored(cls, arrays, {"model": model.eval(), "source": source})


def covariates(panel: Panel, preparation: Preparation, source: str) -> Singles:
    """What the encoder reads of each row, scaled and without gaps, ``[R, C]``.

    A column that did not vary in the training part has no scale and no known effect: it is zero whatever comes.
    """
    values, d = preparation.values(panel), panel.n_targets
    still = preparation.scale[preparation.positions(panel)] == 1.0
    if still.any():
        values[np.repeat(still, panel.length, axis=0)] = 0.0
    if source == "both":
        return values
    return np.ascontiguousarray(values[:, d:] if source == "past" else values[:, :d])


def stretches(panel: Panel, windows: Windows) -> list[Stretch]:
    """Neighbouring cutoffs of each entity."""
    row0 = first_rows(panel.length)
    found = []
    for entity in np.unique(windows.entity):
        cutoffs = windows.cutoff[windows.entity == entity]
        for run in np.split(cutoffs, np.flatnonzero(np.diff(cutoffs) != 1) + 1):
            found.append(Stretch(int(row0[entity] + run[0]), len(run), panel.series_name(int(entity), 0)))
    return found

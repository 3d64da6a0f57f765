"""The Chronos family of pretrained networks, from a folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.forecasters.adapters.zero_shot import ZeroShot

if TYPE_CHECKING:
    from chronos import BaseChronosPipeline

    from foretide.forecasters.base import FitPart
    from foretide.typing import Array, Floats, Json

SAMPLED = tuple(round(0.05 * k, 2) for k in range(1, 20))
"""Quantiles taken of the samples of the first Chronos models, which have none of their own."""


class Chronos(ZeroShot):
    """A network of the Chronos family (Chronos, Chronos-Bolt, Chronos-2) whose weights lie in a folder.

    Nothing is downloaded, and nothing is fitted: every target of every series is forecast by itself, from its last
    ``input_size`` values. Chronos-2 reads the known-future columns, too. The quantiles are those the network has
    (Chronos-Bolt: 0.1 to 0.9), or of samples, drawn with a seed of their own for every window; quantiles between them
    are interpolated, and there are none outside. Saving keeps folder and checksum of the weights, not the weights.

    Parameters
    ----------
    h : int
        Steps to forecast.
    folder : str
        With ``config.json`` and ``model.safetensors``; ``hf download amazon/chronos-bolt-small --local-dir weights``
        makes one.
    input_size : int
        Steps looked back at; the network may take fewer.
    seed : int
        For the samples of the first Chronos models.
    alias : str, optional
        Name in frames and tables.
    """

    needs = "chronos"
    published = "amazon/chronos-bolt-small"
    quick: ClassVar[Mapping[str, object]] = {}

    def __init__(self, h: int, folder: str, *, input_size: int = 2048, seed: int = 0, alias: str | None = None) -> None:
        super().__init__(h, folder, input_size, alias)
        self.seed = seed
        self.uses_future = self._kind == "Chronos2Pipeline"
        self.centred = self._kind != "ChronosPipeline"
        self._reads_future = False

    @property
    def _kind(self) -> str:
        return str(self._config.get("chronos_pipeline_class", "ChronosPipeline"))

    @property
    def _place(self) -> Path:
        return Path(str(self.folder))

    @property
    def _levels(self) -> tuple[float, ...]:
        own = self._config["chronos_config"].get("quantiles")
        return SAMPLED if own is None else tuple(float(q) for q in own)

    @property
    def needs_future(self) -> bool:
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self._reads_future

    def _fit(self, part: FitPart) -> None:
        super()._fit(part)
        self._reads_future = self.uses_future and bool(part.panel.future)

    def facts(self) -> dict[str, object]:
        """The checksum of the weights, and whether known-future columns are read."""
        return {**super().facts(), "future": self._reads_future}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`facts` gave."""
        super().restore(state, facts)
        self._reads_future = bool(facts["future"])

    def _quantiles(self, contexts: Floats, known: Floats | None) -> Floats:
        import torch

        model, values = _model(str(self.folder), self.checksum_), torch.from_numpy(contexts.astype(np.float32))
        levels = list(self._levels)
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # of horizons beyond those trained on
            if self._kind == "ChronosPipeline":
                made = []
                for row in values:  # one by one, each with the same seed: the same samples whatever stands beside it
                    torch.set_rng_state(torch.Generator().manual_seed(self.seed).get_state())
                    made.append(model.predict_quantiles(row[~row.isnan().cumprod(0).bool()], self.h, levels)[0])
                return np.asarray(torch.cat(made).numpy(), dtype=np.float64)
            if self._kind == "ChronosBoltPipeline":
                found = model.predict_quantiles(values, self.h, levels)[0]
            else:
                found = torch.cat(model.predict_quantiles(_inputs(contexts, known), self.h, levels)[0])
        return np.asarray(found.numpy(), dtype=np.float64)


def _inputs(contexts: Floats, known: Floats | None) -> list[dict[str, object]]:
    """Contexts and known-future columns as Chronos-2 takes them."""
    own, length = contexts.astype(np.float32), contexts.shape[1]
    if known is None:
        return [{"target": row} for row in own]
    columns = known.astype(np.float32)
    return [
        {
            "target": row,
            "past_covariates": {f"f{k}": column[:length] for k, column in enumerate(table)},
            "future_covariates": {f"f{k}": column[length:] for k, column in enumerate(table)},
        }
        for row, table in zip(own, columns, strict=True)
    ]


@lru_cache(maxsize=2)
def _model(folder: str, checksum: str) -> BaseChronosPipeline:
    import torch
    from chronos import BaseChronosPipeline

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return BaseChronosPipeline.from_pretrained(
            folder, device_map="cpu", dtype=torch.float32, local_files_only=True, use_safetensors=True
        )

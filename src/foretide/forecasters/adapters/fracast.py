"""Fracast: a small pretrained network whose weights come with its package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.forecasters.adapters.zero_shot import ZeroShot

if TYPE_CHECKING:
    from fracast import FracastModel

    from foretide.typing import Floats


class Fracast(ZeroShot):
    """The pretrained network of the package ``fracast``: 85,000 parameters, nothing to fit, nine quantiles.

    Every target of every series is forecast by itself, from its last ``input_size`` values. It has the deciles 0.1 to
    0.9; quantiles between them are interpolated, and there are none outside. Beyond 48 steps it forecasts from its own
    medians. Saving keeps the checksum of the weights, not the weights.

    Parameters
    ----------
    h : int
        Steps to forecast.
    folder : str, optional
        Other weights of the same kind (``config.json`` and ``model.safetensors``); those of the package by default.
    input_size : int
        Steps looked back at, 2,048 at most.
    alias : str, optional
        Name in frames and tables.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> if __import__("importlib").util.find_spec("fracast"):
    ...     forecast = ft.adapters.Fracast(h=24).fit(panel, intervals=False).predict(panel, levels=80)
    ...     assert forecast.mean.shape == (1, 24, 1)
    """

    needs = "fracast"
    published = "ztxtech/fracast-0"
    quick: ClassVar[Mapping[str, object]] = {}

    def __init__(self, h: int, *, folder: str | None = None, input_size: int = 2048, alias: str | None = None) -> None:
        super().__init__(h, folder, input_size, alias)

    @property
    def _place(self) -> Path:
        if self.folder is not None:
            return Path(self.folder)
        spec = find_spec("fracast")
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent / "weights"

    @property
    def _levels(self) -> tuple[float, ...]:
        return tuple(float(q) for q in self._config["model"]["quantiles"])

    def _quantiles(self, contexts: Floats, known: Floats | None) -> Floats:
        model = _model(str(self._place), self.checksum_)
        return np.asarray(model.forecast_batch(contexts.astype(np.float32), horizon=self.h), dtype=np.float64)


@lru_cache(maxsize=2)
def _model(folder: str, checksum: str) -> FracastModel:
    from fracast import FracastModel

    return FracastModel.from_pretrained(folder, weights="fp32")

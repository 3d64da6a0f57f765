"""A forecaster and a network of one's own, as a file of them would be; the test adds their lines to the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.windows import Windows
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.forecasters.simple.history import by_entity, last_seen, targets_until
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.models.config import StartConfig
from foretide.training.config import TrainingConfig

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.models.backbone import Backbone
    from foretide.models.frame import Frame
    from foretide.models.inputs import Shape


class Damped(Forecaster):
    """Goes from the last value towards the mean of all training values.

    Parameters
    ----------
    h : int
    share : float
        How far per step.
    alias : str, optional
    """

    baseline = True
    default_for = "always"
    quick: ClassVar[Mapping[str, object]] = {"share": 0.1}
    learned = ("mean_",)

    def __init__(self, h: int, share: float = 0.2, *, alias: str | None = None) -> None:
        super().__init__(h, alias=alias)
        self.share, self.mean_ = share, np.zeros(0)

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        return {"share": (0.01, 0.5, "log")}

    def _fit(self, part: FitPart) -> None:
        train = part.train
        rows = np.concatenate([train.rows(i)[:, : train.n_targets] for i in range(train.n_entities)])
        self.mean_ = np.nanmean(rows, axis=0).astype(np.float64)

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        mean = np.empty((len(windows), self.h, panel.n_targets))
        kept = (1 - self.share) ** np.arange(1, self.h + 1)[:, None]
        for entity, chosen in by_entity(windows):
            cutoffs = windows.cutoff[chosen]
            last = last_seen(targets_until(panel, entity, int(cutoffs.max())))[cutoffs]
            mean[chosen] = self.mean_ + kept * (last - self.mean_)[:, None, :]
        return Prediction(mean)


@dataclass(frozen=True)
class PooledConfig:
    """Settings of the pooled network.

    Attributes
    ----------
    width : int
        Features per step ahead.
    """

    width: int = 8


class Pooled(NeuralForecaster):
    """Features from the mean of the window.

    Parameters
    ----------
    h : int
    input_size, head, seasons, calendar, seed, alias, device
        As of every network.
    """

    configs = (TrainingConfig, StartConfig, PooledConfig)
    quick: ClassVar[Mapping[str, object]] = {"input_size": 14, "epochs": 1, "device": "cpu"}

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        return {"width": [4, 8], "lr": (1e-4, 1e-2, "log")}

    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        from made_up_backbone import PooledBackbone

        return PooledBackbone(frame, shape, self.config.width)

"""The LSTM forecaster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foretide.data.time.calendar import Calendar
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.heads.table import HeadSpec
from foretide.models.config import LSTMConfig

if TYPE_CHECKING:
    from foretide.models.backbone import Backbone
    from foretide.models.frame import Frame
    from foretide.models.inputs import Shape


class LSTM(NeuralForecaster):
    """LSTM encoder-decoder that feeds back its own forecasts.

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int
        Steps looked back at.
    hidden, layers : int
        Width and layers of encoder and decoder.
    head : str or dict
        ``"point"`` (squared error), ``"gaussian"``, ``"quantile"``, ``"nb"`` for counts, and others.
    seasons, calendar, seed, alias, **options
        As in :class:`foretide.forecasters.networks.neural.NeuralForecaster`;
        an own option is ``dropout`` (between layers).
    """

    model_config = LSTMConfig

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        hidden: int = 64,
        layers: int = 1,
        head: HeadSpec = "point",
        seasons: Sequence[float] | None = None,
        calendar: Calendar | dict[str, Any] | str | None = "auto",
        seed: int = 0,
        alias: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            h, input_size=input_size, head=head, seasons=seasons, calendar=calendar, seed=seed, alias=alias,
            hidden=hidden, layers=layers, **options,
        )  # fmt: skip
        self.hidden, self.layers = hidden, layers

    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        from foretide.models.lstm import LSTMBackbone

        return LSTMBackbone(frame, shape, self.config)

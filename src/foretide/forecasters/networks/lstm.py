"""The LSTM forecaster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Unpack

from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.forecasters.networks.options import LSTMOptions
from foretide.forecasters.simple.calendar_es import CalendarSpec
from foretide.forecasters.sizes import LEARNING_RATES, Sizes, SpaceEntry
from foretide.heads.table import HeadSpec
from foretide.models.config import LSTMConfig, StartConfig
from foretide.training.config import TrainingConfig

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
    seasons : sequence of float, optional
        Periods in steps; found from the frequency by default.
    calendar : Calendar, dict, "auto" or None
        Calendar features known ahead; "auto" takes those of the frequency, without holidays.
    seed : int
        Same seed, machine and thread count: same weights to the bit.
    alias : str, optional
        Name in frames and tables.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.LSTM(h=24, input_size=48, hidden=32, epochs=3)
    LSTM(h=24, input_size=48, hidden=32, layers=1, head='point', calendar='auto', seed=0, device='auto', epochs=3)
    """

    configs = (TrainingConfig, StartConfig, LSTMConfig)
    quick: ClassVar[Mapping[str, object]] = {"input_size": 14, "hidden": 8, "epochs": 1, "device": "cpu"}

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        hidden: int = 64,
        layers: int = 1,
        head: HeadSpec = "point",
        seasons: Sequence[float] | None = None,
        calendar: CalendarSpec | str = "auto",
        seed: int = 0,
        alias: str | None = None,
        device: str = "auto",
        **options: Unpack[LSTMOptions],
    ) -> None:
        super().__init__(
            h, input_size=input_size, head=head, seasons=seasons, calendar=calendar, seed=seed, alias=alias,
            device=device, hidden=hidden, layers=layers, **options,
        )  # fmt: skip
        self.hidden, self.layers = hidden, layers

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Width, layers and rate of the specification; lookback."""
        return {"hidden": [32, 64, 96], "layers": [1, 2], "lr": LEARNING_RATES, "input_size": at.lookbacks()}

    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        from foretide.models.lstm import LSTMBackbone

        return LSTMBackbone(frame, shape, self.config)

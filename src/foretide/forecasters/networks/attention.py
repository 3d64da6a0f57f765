"""The attention forecaster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Unpack

from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.forecasters.networks.options import AttentionOptions
from foretide.forecasters.simple.calendar_es import CalendarSpec
from foretide.forecasters.sizes import LEARNING_RATES, Sizes, SpaceEntry
from foretide.heads.table import HeadSpec
from foretide.models.config import AttentionConfig, StartConfig
from foretide.training.config import TrainingConfig

if TYPE_CHECKING:
    from foretide.models.backbone import Backbone
    from foretide.models.frame import Frame
    from foretide.models.inputs import Shape


class Attention(NeuralForecaster):
    """Attention encoder-decoder whose weights say which past values the forecast copies.

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int
        Steps looked back at.
    hidden, heads : int
        Width, and attention heads; the width is divisible by the heads.
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

    Notes
    -----
    ``predict(..., attention=True)`` returns the weights in ``Forecast.extras["attention"]``, ``[N, M, H, L]``, oldest
    lag first, each row summing to one. See :class:`foretide.models.attention.AttentionBackbone`.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.Attention(h=24, input_size=48, head="quantile", epochs=3).quantile_range
    (0.025, 0.975)
    """

    configs: ClassVar[tuple[type, ...]] = (TrainingConfig, StartConfig, AttentionConfig)
    quick: ClassVar[Mapping[str, object]] = {"input_size": 14, "hidden": 8, "heads": 2, "epochs": 1, "device": "cpu"}
    explains = traces = ("attention",)

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        hidden: int = 128,
        heads: int = 4,
        head: HeadSpec = "point",
        seasons: Sequence[float] | None = None,
        calendar: CalendarSpec | str = "auto",
        seed: int = 0,
        alias: str | None = None,
        device: str = "auto",
        **options: Unpack[AttentionOptions],
    ) -> None:
        super().__init__(
            h, input_size=input_size, head=head, seasons=seasons, calendar=calendar, seed=seed, alias=alias,
            device=device, hidden=hidden, heads=heads, **options,
        )  # fmt: skip
        self.hidden, self.heads = hidden, heads

    @property
    def step_axis(self) -> Mapping[str, int]:
        """Steps come behind windows and heads in the weights."""
        return {"attention": 2}

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Width, heads and rate of the specification, and the lookback, which mattered most; dropout did nothing."""
        return {
            "hidden": [64, 96, 128, 160], "heads": [2, 4, 8], "lr": LEARNING_RATES, "input_size": at.lookbacks(),
        }  # fmt: skip

    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        from foretide.models.attention import AttentionBackbone

        return AttentionBackbone(frame, shape, self.config)

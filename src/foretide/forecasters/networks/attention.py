"""The attention forecaster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foretide.data.time.calendar import Calendar
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.heads.table import HeadSpec
from foretide.models.config import AttentionConfig

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
    seasons, calendar, seed, alias, **options
        As in :class:`foretide.forecasters.networks.neural.NeuralForecaster`;
        own options are ``encoder_layers``, ``patch`` and ``dropout``.

    Notes
    -----
    ``predict(..., attention=True)`` returns the weights in ``Forecast.extras["attention"]``, ``[N, M, H, L]``, oldest
    lag first, each row summing to one. See :class:`foretide.models.attention.AttentionBackbone`.
    """

    model_config = AttentionConfig
    explains = ("attention",)

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        hidden: int = 128,
        heads: int = 4,
        head: HeadSpec = "point",
        seasons: Sequence[float] | None = None,
        calendar: Calendar | dict[str, Any] | str | None = "auto",
        seed: int = 0,
        alias: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            h, input_size=input_size, head=head, seasons=seasons, calendar=calendar, seed=seed, alias=alias,
            hidden=hidden, heads=heads, **options,
        )  # fmt: skip
        self.hidden, self.heads = hidden, heads

    @property
    def traces(self) -> tuple[str, ...]:
        """``attention``: weights ``[N, M, H, L]``."""
        return ("attention",)

    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        from foretide.models.attention import AttentionBackbone

        return AttentionBackbone(frame, shape, self.config)

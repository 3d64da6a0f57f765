"""The plain recipes of both networks: what the literature trains, with every improvement of this library off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Unpack

from foretide.forecasters.networks.attention import Attention
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.networks.options import LSTMOptions, NetworkOptions
from foretide.forecasters.simple.calendar_es import CalendarSpec
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.heads.table import HeadSpec
from foretide.models.config import LSTMConfig, PlainAttentionConfig, StartConfig
from foretide.training.config import TrainingConfig

if TYPE_CHECKING:
    from foretide.models.backbone import Backbone
    from foretide.models.frame import Frame
    from foretide.models.inputs import Shape


@dataclass(frozen=True)
class PlainTrainingConfig(TrainingConfig):
    """Adam with a small L2 penalty, every window in every epoch, no clipping, no early stop, no average of weights."""

    weight_decay: float = 1e-6
    decoupled: bool = False
    epochs: int = 12
    patience: int | None = None
    clip: float | None = None
    ema: float = 0.0
    steps_per_epoch: int | None = None


@dataclass(frozen=True)
class PlainStartConfig(StartConfig):
    """Nothing solved for, nothing taken off a window."""

    level: str = "none"
    waves: str | int = 0
    known: str = "off"
    linear: bool = False
    closed_form: bool = False
    scale: str = "none"
    refit: bool = False


class PlainLSTM(LSTM):
    """The plain LSTM encoder-decoder: scaled values in, its own forecasts fed back, one linear layer to a value.

    What :class:`LSTM` adds is off, and each of it can be switched on by its setting: the closed-form start
    (``closed_form=True, waves="auto", linear=True`` with ``head="point"``), the frame (``level``, ``scale``), the
    calendar, and the training (``ema``, ``clip``, ``patience``, ``decoupled``).

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int
        Steps looked back at.
    hidden, layers : int
        Width and layers of encoder and decoder.
    head : str or dict
        ``"plain"``: squared error, a linear layer as PyTorch begins it.
    seasons : sequence of float, optional
        Periods in steps; only for a closed-form start.
    calendar : Calendar, dict, "auto" or None
        Calendar features known ahead; none by default.
    seed : int
        Same seed, machine and thread count: same weights to the bit.
    alias : str, optional
        Name in frames and tables.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.

    Notes
    -----
    Columns that are known ahead join the decoder's input, and encoder and decoder see static ones. What remains
    different from the recipe stands in ``docs/from-the-recipes.md``.

    Examples
    --------
    >>> import foretide as ft
    >>> model = ft.PlainLSTM(h=10)
    >>> model.parameters()["closed_form"], model.parameters()["weight_decay"], model.head
    (False, 1e-06, 'plain')
    """

    configs = (PlainTrainingConfig, PlainStartConfig, LSTMConfig)
    unshared: ClassVar[tuple[str, ...]] = ("calendar",)

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        hidden: int = 64,
        layers: int = 1,
        head: HeadSpec = "plain",
        seasons: Sequence[float] | None = None,
        calendar: CalendarSpec | str = None,
        seed: int = 0,
        alias: str | None = None,
        device: str = "auto",
        **options: Unpack[LSTMOptions],
    ) -> None:
        super().__init__(
            h, input_size=input_size, hidden=hidden, layers=layers, head=head, seasons=seasons, calendar=calendar,
            seed=seed, alias=alias, device=device, **options,
        )  # fmt: skip

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Width, layers and rate of the recipe's search."""
        return _without_lookback(super().search_space(at))


class PlainAttention(Attention):
    """The plain attention encoder-decoder: the context of a step is the state of the next one.

    Queries do not know their horizon step, and nothing is copied from the past: see
    :class:`foretide.models.plain_attention.PlainAttentionBackbone`. What :class:`Attention` adds around the network
    is off, and each of it can be switched on by its setting, as for :class:`PlainLSTM`.

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int
        Steps looked back at.
    hidden, heads : int
        Width, and attention heads; the width is divisible by the heads.
    head : str or dict
        ``"plain"``: squared error, a linear layer as PyTorch begins it.
    seasons : sequence of float, optional
        Periods in steps; only for a closed-form start.
    calendar : Calendar, dict, "auto" or None
        Calendar features known ahead; only for a closed-form start.
    seed : int
        Same seed, machine and thread count: same weights to the bit.
    alias : str, optional
        Name in frames and tables.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.

    Notes
    -----
    ``predict(..., attention=True)`` returns the weights in ``Forecast.extras["attention"]``, ``[N, M, H, L]``, oldest
    lag first, each row summing to one.

    Examples
    --------
    >>> import foretide as ft
    >>> model = ft.PlainAttention(h=10, hidden=64)
    >>> model.parameters()["closed_form"], model.parameters()["clip"], model.heads
    (False, None, 4)
    """

    configs = (PlainTrainingConfig, PlainStartConfig, PlainAttentionConfig)
    unshared: ClassVar[tuple[str, ...]] = ("calendar",)
    quick: ClassVar[Mapping[str, object]] = {**Attention.quick, "epochs": 4, "lr": 0.01}

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        hidden: int = 128,
        heads: int = 4,
        head: HeadSpec = "plain",
        seasons: Sequence[float] | None = None,
        calendar: CalendarSpec | str = None,
        seed: int = 0,
        alias: str | None = None,
        device: str = "auto",
        **options: Unpack[NetworkOptions],
    ) -> None:
        super().__init__(
            h, input_size=input_size, hidden=hidden, heads=heads, head=head, seasons=seasons, calendar=calendar,
            seed=seed, alias=alias, device=device, **options,
        )  # fmt: skip

    @property
    def uses_future(self) -> bool:  # type: ignore[override]  # depends on the settings
        """Known-future columns enter by the closed-form start alone."""
        return self.start_config.closed_form and self.start_config.known != "off"

    @property
    def needs_future(self) -> bool:  # type: ignore[override]  # depends on the settings
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self.uses_future

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Width, heads and rate of the recipe's search."""
        return _without_lookback(super().search_space(at))

    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        from foretide.models.plain_attention import PlainAttentionBackbone

        return PlainAttentionBackbone(frame, shape, self.config)


def _without_lookback(space: dict[str, SpaceEntry]) -> dict[str, SpaceEntry]:
    """Return a space without the lookback, which the recipes do not search."""
    return {name: entry for name, entry in space.items() if name != "input_size"}

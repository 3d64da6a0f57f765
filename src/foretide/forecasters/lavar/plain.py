"""The plain recipe of LAVAR: everything from a latent state that begins at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from foretide.forecasters.lavar.config import BY_CHANCE, LAVAROptions, StagesConfig, SupplyConfig
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.forecasters.simple.calendar_es import CalendarSpec
from foretide.forecasters.sizes import Sizes, SpaceEntry
from foretide.heads.table import HeadSpec
from foretide.models.config import LatentConfig

WIDTHS = (16,)
"""Hidden widths of the heads' small networks."""
DELTA: HeadSpec = {"name": "delta", "cumulative": True, "on": "increments", "widths": WIDTHS}
"""Increments by squared error, accumulated from the last value; the guardrails cut off what falls below zero."""


@dataclass(frozen=True)
class PlainLatentConfig(LatentConfig):
    """Encoder, decoder and VAR begin at random."""

    closed_form: bool = False


@dataclass(frozen=True)
class PlainSupplyConfig(SupplyConfig):
    """The last value and the state alone: no seasonal base, no latent effects, no refit, no bound."""

    base: str = "last"
    effects: bool = False
    head_inputs: str = "state"
    units: str = "none"
    distribution: str = "errors"
    refit: bool = False
    bound_factor: float = 0.0


@dataclass(frozen=True)
class PlainStagesConfig(StagesConfig):
    """Adam at one rate for both stages, every window in every epoch, and heads kept without a margin."""

    epochs: int | None = 100
    steps_per_epoch: int | None = None
    head_lr: float = 1e-3
    head_weight_decay: float = 0.0
    head_margin: float = 0.0


class PlainLAVAR(LAVAR):
    """The plain LAVAR: an autoencoder with VAR dynamics, and one small network per density bucket on its state.

    What :class:`LAVAR` adds is off, and each of it can be switched on by its setting: the closed-form start of stage 1
    (``closed_form``), the seasonal base (``base="auto"``), what the heads see (``head_inputs``, ``units``), the latent
    effects (``effects``), margin, guardrails and refit.

    Parameters
    ----------
    h : int
        Steps to forecast.
    order : int
        Lags ``p`` of the VAR; fewer are taken, with a warning, where most series are too short for so many.
    latent : int
        Size ``K`` of the latent state (at most as many as the encoder has inputs).
    heads : "auto", or three heads
        For dense, sparse and ultra-sparse targets. "auto": small networks that begin at random; increments by squared
        error for dense and sparse, a zero-inflated negative binomial for ultra-sparse where all targets are counts.
    seasons : sequence of int, optional
        Periods in steps; only for a seasonal base.
    calendar : Calendar, dict, "auto" or None
        Features known ahead; none by default.
    seed : int
        Same seed, machine and thread count: same weights to the bit.
    alias : str, optional
        Name in frames and tables.

    Notes
    -----
    Forecasts below zero become zero where the series never was below. What remains different from the recipe stands in
    ``docs/from-the-recipes.md``.

    Examples
    --------
    >>> import foretide as ft
    >>> model = ft.PlainLAVAR(h=14)
    >>> model.supply.base, model.supply.effects, model.config.closed_form, model.stages.head_margin
    ('last', False, False, 0.0)
    """

    configs = (PlainLatentConfig, PlainSupplyConfig, PlainStagesConfig)
    unshared: ClassVar[tuple[str, ...]] = ("calendar",)
    quick: ClassVar[Mapping[str, object]] = LAVAR.quick
    for_counts: ClassVar[tuple[HeadSpec, ...]] = (DELTA, DELTA, {"name": "plain_zinb", "widths": WIDTHS})

    def __init__(
        self,
        h: int,
        order: int = 7,
        latent: int = 8,
        *,
        heads: str | Sequence[HeadSpec] = "auto",
        seasons: Sequence[int] | None = None,
        calendar: CalendarSpec | str = None,
        seed: int = 0,
        alias: str | None = None,
        **options: Unpack[LAVAROptions],
    ) -> None:
        super().__init__(
            h, order, latent, heads=heads, seasons=seasons, calendar=calendar, seed=seed, alias=alias, **options
        )

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Size and memory of the latent state, and the rate of its stage."""
        return {**super().search_space(at), "lr": (3e-4, 3e-3, "log")}

    @property
    def uses_future(self) -> bool:  # type: ignore[override]  # depends on the settings
        """Known-future columns reach the heads, or the events of a seasonal base."""
        return self.supply.head_inputs != "state" or self.supply.base not in BY_CHANCE

    @property
    def needs_future(self) -> bool:  # type: ignore[override]  # depends on the settings
        """Whether it cannot forecast without known-future values over the whole horizon."""
        return self.uses_future

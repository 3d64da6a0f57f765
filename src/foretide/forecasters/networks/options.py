"""Further settings of the networks, for editors and type checkers; the dataclasses say what they mean."""

from __future__ import annotations

from typing import TypedDict


class NetworkOptions(TypedDict, total=False):
    """Fields of :class:`~foretide.training.config.TrainingConfig` and :class:`~foretide.models.config.StartConfig`."""

    epochs: int
    batch_size: int
    lr: float
    start_lr: float
    weight_decay: float
    decoupled: bool
    patience: int | None
    clip: float | None
    ema: float
    steps_per_epoch: int | None
    fit_mean_first: bool
    by_step: bool
    devices: int
    level: str
    channels: str
    waves: str | int
    known: str
    apart: bool
    linear: bool
    penalties: tuple[float, ...]
    closed_form: bool
    scale: str
    refit: bool


class AttentionOptions(NetworkOptions, total=False):
    """And those of :class:`~foretide.models.config.AttentionConfig`, but for ``hidden`` and ``heads``."""

    encoder_layers: int
    patch: int | None
    dropout: float
    lookup: bool


class LSTMOptions(NetworkOptions, total=False):
    """And those of :class:`~foretide.models.config.LSTMConfig`, but for ``hidden`` and ``layers``."""

    dropout: float

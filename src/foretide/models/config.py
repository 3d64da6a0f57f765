"""Settings of the backbones (no torch, so that a forecaster can be made without it)."""

from __future__ import annotations

from dataclasses import dataclass

from foretide.errors import ConfigError


@dataclass(frozen=True)
class AttentionConfig:
    """Settings of the attention backbone.

    Attributes
    ----------
    hidden : int
        Width, ``d``; divisible by ``heads``.
    heads : int
        Attention heads, ``M``.
    encoder_layers : int
        Self-attention layers over the lookback's patches; none by default, because they cost time and on the data
        measured here no accuracy came of it (``docs/decisions.md``).
    patch : int or None
        Steps per patch of the encoder; None: about 16 patches.
    dropout : float
    """

    hidden: int = 128
    heads: int = 4
    encoder_layers: int = 0
    patch: int | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.heads < 1 or self.hidden % self.heads:
            raise ConfigError(
                f"hidden must be divisible by heads, got hidden={self.hidden} and heads={self.heads}. "
                f"Try hidden={max(1, round(self.hidden / max(self.heads, 1))) * max(self.heads, 1)}."
            )
        if self.encoder_layers < 0 or not 0 <= self.dropout < 1 or (self.patch is not None and self.patch < 1):
            raise ConfigError(
                "Attention needs encoder_layers of at least 0, a patch of at least 1 or None, and a dropout in [0, 1); "
                f"got encoder_layers={self.encoder_layers}, patch={self.patch}, dropout={self.dropout}."
            )


@dataclass(frozen=True)
class LSTMConfig:
    """Settings of the LSTM backbone.

    Attributes
    ----------
    hidden : int
        Width of encoder and decoder.
    layers : int
        Layers of each.
    dropout : float
        Between layers.
    """

    hidden: int = 64
    layers: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.layers < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(
                "An LSTM needs hidden and layers of at least 1 and a dropout in [0, 1), "
                f"got hidden={self.hidden}, layers={self.layers}, dropout={self.dropout}."
            )

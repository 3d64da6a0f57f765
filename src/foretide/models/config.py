"""Settings of the backbones (no torch, so that a forecaster can be made without it)."""

from __future__ import annotations

from dataclasses import dataclass

from foretide.errors import ConfigError, check_choice, check_settings


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


LATENT_DYNAMICS = ("var", "gru")
"""Names of the latent dynamics; ``models.dynamics.DYNAMICS`` holds the classes."""


@dataclass(frozen=True)
class LatentConfig:
    """Settings of LAVAR's latent part: encoder, decoder and dynamics.

    Attributes
    ----------
    latent : int
        Size of the state, ``K``.
    order : int
        States the dynamics look back on, ``p``.
    encoder, decoder : tuple of int
        Hidden widths.
    dynamics : str
        ``"var"`` (linear) or ``"gru"``.
    stable : bool
        Keep the VAR's spectral radius below one by construction.
    recon_weight, dynamics_weight : float
        Weights of the reconstruction and of both dynamics losses.
    multi_step : bool
        Compare the whole rollout with the encoded truth, not only its first step.
    zero_epsilon : float
        Replaces exact zeros before encoding; 0: they stay.
    """

    latent: int = 8
    order: int = 7
    encoder: tuple[int, ...] = (32, 16)
    decoder: tuple[int, ...] = (16, 32)
    dynamics: str = "var"
    stable: bool = False
    recon_weight: float = 1.0
    dynamics_weight: float = 1.0
    multi_step: bool = True
    zero_epsilon: float = 1e-6

    def __post_init__(self) -> None:
        check_choice("dynamics", self.dynamics, LATENT_DYNAMICS)
        if self.stable and self.dynamics != "var":
            raise ConfigError('Only a VAR can be kept stable. Use dynamics="var", or stable=False.')
        checks = {
            "latent": whole(self.latent) and self.latent >= 1,
            "order": whole(self.order) and self.order >= 1,
            "encoder": all(width >= 1 for width in self.encoder),
            "decoder": all(width >= 1 for width in self.decoder),
            "recon_weight": self.recon_weight >= 0,
            "dynamics_weight": self.dynamics_weight >= 0,
            "zero_epsilon": self.zero_epsilon >= 0,
        }
        check_settings(self, checks)
        if not self.recon_weight + self.dynamics_weight > 0:
            raise ConfigError(
                "recon_weight and dynamics_weight are both 0, so there is nothing to learn. Set one to 1.0."
            )


def whole(value: object) -> bool:
    """Whether a setting is a whole number (``True`` is none)."""
    return isinstance(value, int) and not isinstance(value, bool)

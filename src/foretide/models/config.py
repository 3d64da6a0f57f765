"""Settings of the backbones (no torch, so that a forecaster can be made without it)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretide.errors import ConfigError, check_choice, check_settings
from foretide.models.closed_form import PENALTIES

MOST_LAYERS = 100
"""More are a slip of the keyboard, and take minutes to make."""

START_CHOICES: dict[str, tuple[str, ...]] = {
    "level": ("auto", "last", "mean", "none", "base"),
    "channels": ("auto", "shared", "own", "all"),
    "known": ("auto", "on", "off"),
    "scale": ("window", "none"),
}
"""Settings of :class:`StartConfig` that are names."""


@dataclass(frozen=True)
class StartConfig:
    """What the start may choose from; ``"auto"`` leaves the choice to the validation part.

    Attributes
    ----------
    level : {"auto", "last", "mean", "none", "base"}
        What is taken off each window and added back to its forecast. ``"base"``: LAVAR's base (seasonal level times
        events) of each series as of the cutoff, in the place of season and level; "auto" tries it on counts and other
        targets with zeros and nothing below.
    channels : {"auto", "shared", "own", "all"}
        Whether all targets share one map of their own lags, each has its own such map, or each has a map of the
        lags of all channels.
    waves : "auto" or int
        How many seasonal waves, ranked by their energy in the training part.
    known : {"auto", "on", "off"}
        Whether known-future columns enter the season term.
    apart : bool
        Whether known-future columns are told apart from the strongest waves even where these are not in the term.
    linear : bool
        False: no linear map of the lags, season and level only.
    penalties : tuple of float
        Relative ridge penalties to choose from.
    closed_form : bool
        False: nothing is solved for; the network begins at random, inside ``level`` and ``scale`` only.
    scale : {"window", "none"}
        Whether a network reads and corrects a window in units of its own movements, or of the whole series' spread.
    refit : bool
        Whether the chosen start is estimated once more on training and validation part when the network is trained.
    """

    level: str = "auto"
    channels: str = "auto"
    waves: str | int = "auto"
    known: str = "auto"
    apart: bool = False
    linear: bool = True
    penalties: tuple[float, ...] = PENALTIES
    closed_form: bool = True
    scale: str = "window"
    refit: bool = True

    def __post_init__(self) -> None:
        for name, known in START_CHOICES.items():
            check_choice(name, getattr(self, name), known)
        if self.waves != "auto" and (not isinstance(self.waves, (int, np.integer)) or self.waves < 0):
            raise ConfigError(f"waves is 'auto' or a number of waves, at least 0; got {self.waves!r}.")
        if not self.penalties or min(self.penalties) < 0:
            raise ConfigError(f"penalties are one or more numbers of at least 0; got {self.penalties!r}.")

    @property
    def tries_base(self) -> bool:
        """Whether a base is among what validation may choose: nothing that it stands for was asked for by itself."""
        return self.closed_form and self.level == "auto" and self.waves == "auto" and self.known == "auto"

    @property
    def nothing(self) -> bool:
        """Whether it leaves nothing to begin at but the mean of the training part."""
        taken = self.linear or self.level != "none" or self.waves != 0 or self.known != "off"
        return not (self.closed_form and taken)


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
    lookup : bool
        Whether one more head is added that looks at a marked place, where training windows show one.
    """

    hidden: int = 128
    heads: int = 4
    encoder_layers: int = 0
    patch: int | None = None
    dropout: float = 0.0
    lookup: bool = True

    def __post_init__(self) -> None:
        _check_heads(self.hidden, self.heads)
        few = 0 <= self.encoder_layers <= MOST_LAYERS
        if not few or not 0 <= self.dropout < 1 or (self.patch is not None and self.patch < 1):
            raise ConfigError(
                f"Attention needs 0 to {MOST_LAYERS} encoder_layers, a patch of at least 1 or None, and a dropout in "
                f"[0, 1); got encoder_layers={self.encoder_layers}, patch={self.patch}, dropout={self.dropout}."
            )


@dataclass(frozen=True)
class PlainAttentionConfig:
    """Settings of the plain recipe's attention.

    Attributes
    ----------
    hidden : int
        Width, ``d``; divisible by ``heads``.
    heads : int
        Attention heads, ``M``.
    """

    hidden: int = 128
    heads: int = 4

    def __post_init__(self) -> None:
        _check_heads(self.hidden, self.heads)


def _check_heads(hidden: int, heads: int) -> None:
    if hidden < 1 or heads < 1 or hidden % heads:
        raise ConfigError(
            f"hidden must be divisible by heads, got hidden={hidden} and heads={heads}. "
            f"Try hidden={max(1, round(hidden / max(heads, 1))) * max(heads, 1)}."
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
        if self.hidden < 1 or not 1 <= self.layers <= MOST_LAYERS or not 0 <= self.dropout < 1:
            raise ConfigError(
                f"An LSTM needs hidden and layers of at least 1 and a dropout in [0, 1), at most {MOST_LAYERS} layers; "
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
    closed_form : bool
        Whether encoder, decoder and VAR begin at principal components and the ridge VAR of their scores; else they
        begin at random, the VAR near persistence.
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
    closed_form: bool = True

    @property
    def begun(self) -> bool:
        """Whether encoder, decoder and dynamics all begin in closed form."""
        return self.closed_form and self.dynamics == "var" and not self.stable

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

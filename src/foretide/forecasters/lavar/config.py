"""Settings of LAVAR beyond its latent part and its stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from foretide.data.counts import check_thresholds
from foretide.errors import ConfigError, check_choice, check_numbers, check_settings
from foretide.training.config import Stage

BASES = ("auto", "last", "season", "level", "mean", "profile")
BY_CHANCE = ("last", "season")
"""Bases of single values, where a zero says little of what comes: heads correct them in units, not by a share, and
see how far it is from the usual ones."""
INPUTS = ("auto", "past", "targets", "both")
HEAD_INPUTS = ("auto", "state")
UNITS = ("series", "none")
DISTRIBUTIONS = ("auto", "errors", "analogues")
FROM_RANDOM = 100
"""Epochs of stage 1 where it does not begin in closed form."""


@dataclass(frozen=True)
class SupplyConfig:
    """What LAVAR does with targets.

    Attributes
    ----------
    dense, ultra : float
        Nonzero rates from which a target counts as dense, and up to which as ultra-sparse.
    base : {"auto", "last", "season", "level", "mean", "profile"}
        What the heads correct: last value; same season's last value; same season's smoothed level or mean; a level
        over all steps times a seasonal profile; "auto" averages the best of all of these per series.
    encode : {"auto", "past", "targets", "both"}
        What the encoder reads; "auto": past columns where there are any, else the targets' own history.
    effects : bool
        Whether numbers known ahead and the latent state enter the level in closed form before the heads are trained.
    own_history : bool
        Whether the heads see the last values of the targets and the base beside the latent state; with the base "last"
        or "season" they always do, unless ``head_inputs`` is "state".
    head_inputs : {"auto", "state"}
        What the heads see: the rolled-out latent state, what is known ahead and ``own_history``; or the state alone.
    units : {"series", "none"}
        Whether heads see states in standard units, and targets in units of the base's errors; "none": as they are.
    horizon_weights : tuple of float, optional
        Weights of the horizon steps in the delta heads' loss.
    distribution : {"auto", "errors", "analogues"}
        What is spread around the forecast: the distribution of past errors, what followed similar windows of all series
        (see :class:`Analogues`), or, with "auto", whichever has less quantile loss on validation.
    refit : bool
        Whether base and effects, once all is chosen, are fitted again on training and validation part together.
    bound_quantile, bound_factor : float
        Forecasts are bounded by this quantile of a target's training values times this factor; factor 0: no bound.
    gate : int, optional
        A target silent for this many steps up to the cutoff is forecast as zero.
    whole : bool
        Round point forecasts to whole numbers.
    """

    dense: float = 0.70
    ultra: float = 0.005
    base: str = "auto"
    encode: str = "auto"
    effects: bool = True
    own_history: bool = False
    head_inputs: str = "auto"
    units: str = "series"
    horizon_weights: tuple[float, ...] | None = None
    distribution: str = "auto"
    refit: bool = True
    bound_quantile: float = 0.999
    bound_factor: float = 3.0
    gate: int | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        check_thresholds(self.dense, self.ultra)
        choices = (
            ("base", BASES),
            ("encode", INPUTS),
            ("head_inputs", HEAD_INPUTS),
            ("units", UNITS),
            ("distribution", DISTRIBUTIONS),
        )
        for name, known in choices:
            check_choice(name, getattr(self, name), known)
        if not 0 < self.bound_quantile <= 1 or self.bound_factor < 0:
            raise ConfigError(
                f"bound_quantile is a fraction above 0 and bound_factor at least 0; got {self.bound_quantile!r} and "
                f"{self.bound_factor!r}. Try bound_quantile=0.999, bound_factor=3.0."
            )
        if self.gate is not None and (isinstance(self.gate, bool) or self.gate < 1):
            raise ConfigError(f"gate is a number of silent steps of at least 1, or None; got {self.gate!r}.")


@dataclass(frozen=True)
class StagesConfig:
    """How long and how fast LAVAR learns.

    Attributes
    ----------
    epochs : int or None
        Passes over the training windows in stage 1 (latent state). None: none where the state begins in closed form,
        100 where it begins at random (``closed_form=False``, ``dynamics="gru"``, ``stable=True``).
    head_epochs : int
        Most passes in stage 2 (heads); a head that shows no gain after a few learns no further.
    batch_size : int
        Windows per step.
    steps_per_epoch : int or None
        Most steps per epoch; a larger training part is then sampled anew each epoch.
    lr, head_lr : float
        Learning rates of the stages.
    weight_decay, head_weight_decay : float
        Decoupled weight decay.
    clip : float or None
        Largest gradient norm.
    patience : int or None
        Epochs without a better validation loss before a stage stops; None: never.
    head_margin : float
        Share of the pooled, scaled squared error on validation windows that a head must gain beyond chance, or it goes
        back to where it began; the windows must hold three horizons of time or so. 0: every head stays as it was at
        its lowest validation loss, and so does what was learned without validation windows.
    """

    epochs: int | None = None
    head_epochs: int = 100
    batch_size: int = 64
    steps_per_epoch: int | None = 100
    lr: float = 1e-3
    head_lr: float = 3e-4
    weight_decay: float = 0.0
    head_weight_decay: float = 1e-2
    clip: float | None = 1.0
    patience: int | None = 20
    head_margin: float = 0.02

    def __post_init__(self) -> None:
        check_numbers(self)
        fine = {
            "epochs": self.epochs is None or self.epochs >= 0, "head_epochs": self.head_epochs >= 0,
            "head_lr": self.head_lr > 0, "head_weight_decay": self.head_weight_decay >= 0,
            "steps_per_epoch": self.steps_per_epoch is None or self.steps_per_epoch >= 1,
            "head_margin": 0 <= self.head_margin < 1,
        }  # fmt: skip
        check_settings(self, fine)
        self.stage(1)  # refuses what is wrong with the others

    def stage(self, number: int, epochs: int | None = None) -> Stage:
        """Return stage 1 (latent state) or 2 (heads), or another number of ``epochs`` of it."""
        most = FROM_RANDOM if self.epochs is None else self.epochs
        lengths = (most, self.lr, self.weight_decay) if number == 1 else (
            self.head_epochs, self.head_lr, self.head_weight_decay)  # fmt: skip
        return Stage(
            f"stage {number}", lengths[0] if epochs is None else epochs, self.batch_size, *lengths[1:],
            clip=self.clip, patience=self.patience, steps=self.steps_per_epoch,
        )  # fmt: skip


class LAVAROptions(TypedDict, total=False):
    """Further settings of LAVAR, for editors and type checkers: fields of its three dataclasses."""

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    dynamics: str
    stable: bool
    recon_weight: float
    dynamics_weight: float
    multi_step: bool
    zero_epsilon: float
    closed_form: bool
    dense: float
    ultra: float
    base: str
    encode: str
    effects: bool
    own_history: bool
    head_inputs: str
    units: str
    horizon_weights: tuple[float, ...] | None
    distribution: str
    refit: bool
    bound_quantile: float
    bound_factor: float
    gate: int | None
    whole: bool
    epochs: int | None
    head_epochs: int
    batch_size: int
    steps_per_epoch: int | None
    lr: float
    head_lr: float
    weight_decay: float
    head_weight_decay: float
    clip: float | None
    patience: int | None
    head_margin: float

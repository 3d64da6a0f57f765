"""Settings of the training loop."""

from __future__ import annotations

from dataclasses import dataclass

from foretide.errors import ConfigError


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        Passes over the training windows; 0 keeps the closed-form start as it is.
    batch_size : int
        Windows per step.
    lr : float
        Learning rate of the backbone and the head.
    start_lr : float
        Learning rate of the parameters that begin at the closed-form start.
    weight_decay : float
        Decoupled weight decay (AdamW) on the backbone and the head; 0: plain Adam.
    patience : int
        Epochs without a better validation loss before training stops.
    clip : float or None
        Largest gradient norm.
    ema : float
        Decay of the running average of the weights that is validated, kept and used to predict; 0: the last weights.
    steps_per_epoch : int or None
        Most steps per epoch; a larger training part is then sampled anew each epoch.
    fit_mean_first : bool
        Heads whose distribution has the mean ``base + scale * linear(features)`` learn that mean by squared error, and
        their spread follows from the errors on validation windows; otherwise both are learned together by likelihood,
        as those with heavy tails always are.
    """

    epochs: int = 12
    batch_size: int = 64
    lr: float = 1e-3
    start_lr: float = 1e-4
    weight_decay: float = 0.0
    patience: int = 4
    clip: float | None = 1.0
    ema: float = 0.98
    steps_per_epoch: int | None = 300
    fit_mean_first: bool = True

    def __post_init__(self) -> None:
        checks = {
            "epochs": self.epochs >= 0,
            "batch_size": self.batch_size >= 1,
            "lr": self.lr > 0,
            "start_lr": self.start_lr >= 0,
            "weight_decay": self.weight_decay >= 0,
            "patience": self.patience >= 1,
            "clip": self.clip is None or self.clip > 0,
            "ema": 0 <= self.ema < 1,
            "fit_mean_first": isinstance(self.fit_mean_first, bool),
            "steps_per_epoch": self.steps_per_epoch is None or self.steps_per_epoch >= 1,
        }
        for name, fine in checks.items():
            if not fine:
                default = f"{name}={DEFAULTS[name]!r}"
                raise ConfigError(f"{name}={getattr(self, name)!r} cannot work. Try the default, {default}.")


DEFAULTS = {name: field.default for name, field in TrainingConfig.__dataclass_fields__.items()}

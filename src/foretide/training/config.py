"""Settings of the training loop: of networks, and of a stage of a training that has several."""

from __future__ import annotations

from dataclasses import dataclass

from foretide.errors import check_numbers, check_settings


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
        Weight decay on the backbone and the head; 0: plain Adam.
    decoupled : bool
        Weight decay beside the gradient (AdamW); False: as a penalty inside it (Adam with L2).
    patience : int or None
        Epochs without a better validation loss before training stops; None: never. The best state is kept either way.
    clip : float or None
        Largest gradient norm.
    ema : float
        Decay of the running average of the weights that is validated, kept and used to predict; 0: the last weights.
    steps_per_epoch : int or None
        Most steps per epoch, after which validation is looked at; a larger training part is then sampled anew.
    fit_mean_first : bool
        Heads whose distribution has the mean ``base + scale * linear(features)`` learn that mean by squared error, and
        their spread follows from the errors on validation windows; otherwise both are learned together by likelihood,
        as those with heavy tails always are.
    by_step : bool
        Whether each step of the horizon is corrected first, from the start's forecast and known-future columns there,
        by small networks that are kept where validation asks for them.
    devices : int
        Processes that train together, each on its part of every batch: on a GPU of its own, or on its share of the
        threads. Rounding apart the weights are those of one process. Under torchrun: the number of its processes.
    """

    epochs: int = 60
    batch_size: int = 64
    lr: float = 1e-3
    start_lr: float = 1e-4
    weight_decay: float = 0.0
    decoupled: bool = True
    patience: int | None = 5
    clip: float | None = 1.0
    ema: float = 0.98
    steps_per_epoch: int | None = 100
    fit_mean_first: bool = True
    by_step: bool = True
    devices: int = 1

    def __post_init__(self) -> None:
        check_numbers(self)
        own = {
            "start_lr": self.start_lr >= 0,
            "patience": self.patience is None or self.patience >= 1,
            "ema": 0 <= self.ema < 1,
            "fit_mean_first": isinstance(self.fit_mean_first, bool),
            "by_step": isinstance(self.by_step, bool),
            "steps_per_epoch": self.steps_per_epoch is None or self.steps_per_epoch >= 1,
            "devices": self.devices >= 1,
        }
        check_settings(self, _common_checks(self) | own)


@dataclass(frozen=True)
class Stage:
    """One stage of a training: which parts learn, and how long, as data.

    Attributes
    ----------
    name : str
        How error messages call it.
    epochs : int
        Passes over the training windows; 0 keeps the start as it is.
    batch_size : int
        Windows per step.
    steps : int or None
        Most steps per epoch; a larger training part is then sampled anew each epoch.
    lr : float
        Learning rate of Adam.
    weight_decay : float
        Decoupled weight decay (AdamW); 0: plain Adam.
    clip : float or None
        Largest gradient norm.
    patience : int or None
        Epochs without a better validation loss before the stage stops; None: it never stops early. The best state is
        kept either way.
    learns : tuple of str
        Beginnings of the names of the parameters that learn, e.g. ``("dynamics",)``; empty: all of them.
    """

    name: str
    epochs: int = 100
    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.0
    clip: float | None = 1.0
    patience: int | None = 20
    learns: tuple[str, ...] = ()
    steps: int | None = None

    def __post_init__(self) -> None:
        check_numbers(self, where=f" in {self.name}")
        own = {
            "steps": self.steps is None or self.steps >= 1,
            "patience": self.patience is None or self.patience >= 1,
        }
        check_settings(self, _common_checks(self) | own, where=f" in {self.name}")


def _common_checks(config: TrainingConfig | Stage) -> dict[str, bool]:
    return {
        "epochs": config.epochs >= 0,
        "batch_size": config.batch_size >= 1,
        "lr": config.lr > 0,
        "weight_decay": config.weight_decay >= 0,
        "clip": config.clip is None or config.clip > 0,
    }

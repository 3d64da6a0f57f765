"""Stages of a training that has several: which parts learn and how long, as data."""

from __future__ import annotations

from dataclasses import dataclass

from foretide.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """One stage.

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
        checks = {
            "epochs": self.epochs >= 0,
            "batch_size": self.batch_size >= 1,
            "lr": self.lr > 0,
            "weight_decay": self.weight_decay >= 0,
            "clip": self.clip is None or self.clip > 0,
            "steps": self.steps is None or self.steps >= 1,
            "patience": self.patience is None or self.patience >= 1,
        }
        for name, fine in checks.items():
            if not fine:
                default = f"{name}={Stage.__dataclass_fields__[name].default!r}"
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} cannot work in {self.name}. Try the default, {default}."
                )

from __future__ import annotations

from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.training.config import Stage, TrainingConfig


@pytest.mark.parametrize(
    ("settings", "default"),
    [
        ({"epochs": -1}, "epochs=60"), ({"batch_size": 0}, "batch_size=64"), ({"lr": 0.0}, "lr=0.001"),
        ({"lr": float("nan")}, "lr=0.001"), ({"start_lr": -1e-9}, "start_lr=0.0001"),
        ({"weight_decay": -1.0}, "weight_decay=0.0"), ({"patience": 0}, "patience=5"), ({"clip": 0.0}, "clip=1.0"),
        ({"ema": 1.0}, "ema="), ({"ema": -0.1}, "ema="), ({"steps_per_epoch": 0}, "steps_per_epoch="),
        ({"fit_mean_first": "yes"}, "fit_mean_first=True"), ({"epochs": 2.5}, "epochs=60"),
        ({"epochs": "5"}, "epochs=60"), ({"epochs": None}, "epochs=60"), ({"epochs": True}, "epochs=60"),
        ({"clip": "no"}, "clip=1.0"), ({"batch_size": 6.4}, "batch_size=64"),
    ],
)  # fmt: skip
def test_what_cannot_work(settings: dict[str, Any], default: str) -> None:
    name, value = next(iter(settings.items()))
    with pytest.raises(ConfigError, match=rf"^{name}={value!r} cannot work\. Try the default, {default}"):
        TrainingConfig(**settings)


def test_limits_that_work() -> None:
    made = TrainingConfig(epochs=0, clip=None, ema=0.0, steps_per_epoch=None, start_lr=0.0, patience=None)
    assert made.epochs == 0
    assert TrainingConfig().epochs == 60
    assert TrainingConfig().batch_size == 64


def test_defaults_of_a_stage() -> None:
    assert Stage("stage 1") == Stage("stage 1", 100, 64, 1e-3, 0.0, 1.0, 20, ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": -1}, "epochs=-1 cannot work in stage 2. Try the default, epochs=100"),
        ({"batch_size": 0}, "Try the default, batch_size=64"),
        ({"lr": 0.0}, "Try the default, lr=0.001"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0 cannot work"),
        ({"clip": 0.0}, "clip=0.0 cannot work"),
        ({"patience": 0}, "patience=0 cannot work"),
    ],
)
def test_what_cannot_work_in_a_stage(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Stage("stage 2", **changes)
    Stage("stage 2", clip=None, patience=None, epochs=0)

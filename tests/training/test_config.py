from __future__ import annotations

from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("settings", "default"),
    [
        ({"epochs": -1}, "epochs=12"), ({"batch_size": 0}, "batch_size=64"), ({"lr": 0.0}, "lr=0.001"),
        ({"lr": float("nan")}, "lr=0.001"), ({"start_lr": -1e-9}, "start_lr=0.0001"),
        ({"weight_decay": -1.0}, "weight_decay=0.0"), ({"patience": 0}, "patience=4"), ({"clip": 0.0}, "clip=1.0"),
        ({"ema": 1.0}, "ema="), ({"ema": -0.1}, "ema="), ({"steps_per_epoch": 0}, "steps_per_epoch="),
        ({"fit_mean_first": "yes"}, "fit_mean_first=True"),
    ],
)  # fmt: skip
def test_what_cannot_work(settings: dict[str, Any], default: str) -> None:
    name, value = next(iter(settings.items()))
    with pytest.raises(ConfigError, match=rf"^{name}={value!r} cannot work\. Try the default, {default}"):
        TrainingConfig(**settings)


def test_limits_that_work() -> None:
    made = TrainingConfig(epochs=0, clip=None, ema=0.0, steps_per_epoch=None, start_lr=0.0)
    assert made.epochs == 0
    assert TrainingConfig().epochs == 12
    assert TrainingConfig().batch_size == 64

from __future__ import annotations

from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.training.stages import Stage


def test_defaults() -> None:
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
def test_bad_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Stage("stage 2", **changes)
    Stage("stage 2", clip=None, patience=None, epochs=0)

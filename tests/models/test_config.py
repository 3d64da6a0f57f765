"""Settings of backbones that cannot work are refused."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.errors import ConfigError
from foretide.models.config import AttentionConfig, LSTMConfig


@pytest.mark.parametrize("make", [lambda n: LSTMConfig(layers=n), lambda n: AttentionConfig(encoder_layers=n)])
def test_a_million_layers_are_refused_before_they_are_made(make: Any) -> None:
    make(2)
    with pytest.raises(ConfigError, match=r"0 to 100 |at most 100 layers"):
        make(10**6)

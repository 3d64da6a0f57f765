"""Data are prepared from a configuration, or an error says what to change."""

from __future__ import annotations

import pytest

from foretide.errors import ConfigError
from foretide.jobs.prepare import make_synthetic
from foretide.jobs.sections import SyntheticConfig


@pytest.mark.parametrize("args", [{"T": 10**18}, {"T": 10**12}, {"T": 300, "target": 3}, {"T": 10**400}])
def test_what_a_generator_makes_nothing_of_is_named(args: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"data\.synthetic\.args|T "):
        make_synthetic(SyntheticConfig(generator="hourly", args=args))

"""A table that would fill the memory is refused before it is made."""

from __future__ import annotations

from typing import Any

import pytest

import foretide as ft
from foretide.data.tables.limits import VARIABLE
from foretide.errors import ConfigError

LARGE: dict[str, dict[str, Any]] = {
    "hourly": {"T": 2000, "n_series": 2000},
    "planted_lags": {"T": 2000, "lags": [1], "weights": [0.5], "n_noise": 2000},
    "planted_lookup": {"T": 2_000_000},
    "supplies": {"T": 2000, "n_targets": 200, "n_sites": 20},
}


def test_every_generator_is_among_them() -> None:
    assert set(LARGE) == {name for name in ft.synthetic.__all__ if name.islower()}


@pytest.mark.parametrize("name", LARGE)
def test_a_table_too_large_is_refused_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "50MB")
    with pytest.raises(
        ConfigError, match=rf"is more than memory holds while it is made\. Ask for at most .*{VARIABLE}=16GB"
    ):
        getattr(ft.synthetic, name)(**LARGE[name])

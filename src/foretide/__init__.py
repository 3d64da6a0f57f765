"""foretide forecasts many related series and shows why.

The names of the public page stand in ``__init__.pyi``; each is resolved on first use, so that importing is quick.
"""

from __future__ import annotations

from collections import ChainMap
from pathlib import Path

from foretide.forecasters.table import FORECASTERS
from foretide.lazy import names_in, resolve

__version__ = "0.1.0"

_NAMES = ChainMap(names_in(Path(__file__).with_suffix(".pyi"), __name__), FORECASTERS)

__all__ = [*_NAMES, "__version__"]


def __getattr__(name: str) -> object:
    value = globals()[name] = resolve(__name__, name, _NAMES)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""Foreign models as forecasters: pretrained networks from a folder, neuralforecast, scikit-learn.

The list of them is ``__init__.pyi``; :mod:`foretide.forecasters.table` reads it. A package is imported where its model
is first used.
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    from foretide.forecasters.table import ADAPTERS
    from foretide.lazy import resolve

    return resolve(__name__, name, ADAPTERS)


def __dir__() -> list[str]:
    from foretide.forecasters.table import ADAPTERS

    return sorted(ADAPTERS)

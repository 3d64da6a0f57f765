"""What a person fits. The list of forecasters is ``__init__.pyi``; :mod:`foretide.forecasters.table` reads it."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    from foretide.forecasters.table import FORECASTERS
    from foretide.lazy import resolve

    return resolve(__name__, name, FORECASTERS)

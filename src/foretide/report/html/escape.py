"""Text and numbers on their way into a page: nothing that came from data can become markup or code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

DIGITS = 5
"""Significant digits of numbers in pictures."""
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a ``<script>`` element: no character of it ends the element or a line.

    Raises
    ------
    ValueError
        For numbers that are not finite; :func:`rounded` makes them null.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign, written in _IN_SCRIPT.items():
        text = text.replace(sign, written)
    return text


def plot_text(text: object) -> str:
    """Return a name as plotly.js shows it letter by letter: it would read ``<b>`` as markup."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def rounded(values: Iterable[Any]) -> list[float | int | None]:
    """Return numbers of five significant digits, whole ones as integers, None where there is none."""
    return [_short(float(v)) for v in np.asarray(values, dtype=np.float64)]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    if not math.isfinite(short):  # the largest floats, rounded up
        return value
    return int(short) if abs(short) < 1e15 and short.is_integer() else short

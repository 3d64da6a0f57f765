"""Words for steps of time, for lists, and for what a closed-form start takes off a window."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNITS = {
    "h": "hour", "min": "minute", "s": "second", "D": "day", "B": "business day", "W": "week",
    "MS": "month", "ME": "month", "M": "month", "QS": "quarter", "QE": "quarter", "YS": "year", "YE": "year",
}  # fmt: skip


def unit_of(freq: str | int, *, plural: bool = True) -> str:
    """Return the word for one step of a frequency: ``"h"`` -> ``hours``, ``"30min"`` -> ``steps of 30 minutes``."""
    if isinstance(freq, int):
        return "steps" if plural else "step"
    found = re.fullmatch(r"(\d*)([A-Za-z]+)(-.*)?", freq)
    if found is None or found[2] not in _UNITS:
        return f"steps of {freq}" if plural else f"step of {freq}"
    unit = _UNITS[found[2]]
    if found[1] not in ("", "1"):
        return f"steps of {found[1]} {unit}s" if plural else f"step of {found[1]} {unit}s"
    return unit + "s" if plural else unit


def joined(names: Sequence[str]) -> str:
    """``["a", "b", "c"]`` -> ``"a, b and c"``."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def start_words(chosen: Mapping[str, Any]) -> str:
    """Say what a closed-form start took off the window before attention looks at it."""
    waves, known = int(chosen["waves"]), bool(chosen["known"])
    parts = [f"{waves} seasonal wave{'s' if waves > 1 else ''}"] if waves else []
    parts += ["what known-future columns explain"] if known else []
    level = {"last": "the last value", "mean": "the window's mean"}.get(chosen["level"])
    parts += [f"{level} (given back to the forecast)"] if level else []
    return f"It looks at what is left after taking off {joined(parts)}." if parts else ""

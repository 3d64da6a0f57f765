"""Words for what a closed-form start takes off a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide.text import joined, phrase

if TYPE_CHECKING:
    from foretide.models.start import Tried


def start_words(chosen: Tried) -> str:
    """Say what a closed-form start took off the window before attention looks at it."""
    waves, known = chosen["waves"], chosen["known"]
    parts = [phrase("seasonal wave", waves)] if waves else []
    parts += ["what known-future columns explain"] if known else []
    level = {"last": "the last value", "mean": "the window's mean", "base": "a seasonal base"}.get(chosen["level"])
    parts += [f"{level} (given back to the forecast)"] if level else []
    return f"It looks at what is left after taking off {joined(parts)}." if parts else ""

"""What there is to know of the forecasts of several models, in sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.forecasters.forecast import Forecast


def sentences_of(forecasts: Sequence[Forecast]) -> list[str]:
    """Return what there is to know of some models' forecasts, one sentence for what is so of several models."""
    found: list[str] = []
    unused: dict[tuple[str, ...], list[str]] = {}
    doubtful: dict[str, list[str]] = {}
    for forecast in forecasts:
        own = [note for note in forecast.notes if note.kind not in ("unused", "intervals")]
        found += replace(forecast, notes=tuple(own)).summary()
        for note in forecast.notes:
            if note.kind == "unused":
                unused.setdefault(note.columns, []).append(forecast.model)
            elif note.kind == "intervals":
                doubtful.setdefault(note.text, []).append(forecast.model)
    found += [f"{', '.join(dict.fromkeys(names))}: {text}." for text, names in doubtful.items()]
    for columns, names in unused.items():
        found.append(f"Known-ahead columns ({', '.join(columns)}) are not used by {', '.join(dict.fromkeys(names))}.")
    return found

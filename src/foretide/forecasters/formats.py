"""Formats of saved forecasters: the one that is written, and how what older versions wrote becomes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.errors import ArtifactError

if TYPE_CHECKING:
    from foretide.typing import Array, Json

FORMAT = 2
"""What is written today; raised by a change that older readers would misunderstand."""
CONVERTERS: dict[int, Callable[[Json, dict[str, Array]], tuple[Json, dict[str, Array]]]] = {}
"""Format -> from what ``settings.json`` says and its arrays to those of the next format; none is needed yet."""
LOST = {1: "before forecasters kept the origin of their seasons"}
"""Formats that lack what cannot be had again -> since when it is kept."""


def check_format(number: int, folder: Path) -> None:
    """Refuse a format from which no way leads to this one.

    Parameters
    ----------
    number : int
        As in the manifest.
    folder : Path

    Raises
    ------
    ArtifactError
    """
    if number > FORMAT:
        raise ArtifactError(
            f"{folder} was written in format {number}; this foretide reads up to {FORMAT}. Upgrade foretide."
        )
    if any(older not in CONVERTERS for older in range(number, FORMAT)):
        since = f", {LOST[number]}" if number in LOST else f", from which no way leads to format {FORMAT}"
        raise ArtifactError(f"{folder} was written in format {number}{since}. Fit again, and save anew.")


def converted(described: Json, arrays: dict[str, Array]) -> tuple[Json, dict[str, Array]]:
    """Return a description and arrays of an older format as today's classes know them, one format after the other.

    Parameters
    ----------
    described : dict
        What ``settings.json`` holds.
    arrays : dict
        Name -> array.

    Returns
    -------
    tuple of dict and dict
    """
    for number in range(described["format"], FORMAT):
        described, arrays = CONVERTERS[number](described, arrays)
        described = {**described, "format": number + 1}
    return described, arrays

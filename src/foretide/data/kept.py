"""One piece of work as a file: whole or absent, with a digest of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from foretide.data.digests import digest
from foretide.data.files import write_whole

if TYPE_CHECKING:
    from foretide.typing import Array, Json

ENDING = ".safetensors"
LARGEST = 2**30
"""Bytes of one file, at most: larger results are made again."""


class Kept(NamedTuple):
    """What is kept of a piece of work.

    Attributes
    ----------
    arrays : mapping
        Name -> array.
    facts : dict
        What JSON holds.
    """

    arrays: Mapping[str, Array]
    facts: Json


def write(path: Path, kept: Kept) -> bool:
    """Write a file that appears whole or not at all; return whether it was small enough to be kept.

    Parameters
    ----------
    path : Path
    kept : Kept

    Returns
    -------
    bool
    """
    from safetensors.numpy import save

    if sum(array.nbytes for array in kept.arrays.values()) > LARGEST:
        return False
    # safetensors writes the buffer of an array as it lies in memory, so each must be contiguous.
    arrays = {name: np.array(array, order="C") for name, array in kept.arrays.items()}
    facts = json.dumps(kept.facts)
    content = save(arrays, {"facts": facts, "sum": digest(facts, arrays)})
    write_whole(path, lambda part: part.write_bytes(content))
    return True


def read(path: Path) -> Kept | None:
    """Return what :func:`write` wrote; None where there is nothing, or something else.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Kept or None
    """
    if not os.path.isfile(path):  # False too where one may not look
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        if about.get("sum") != digest(about["facts"], arrays):
            return None
        facts: Json = json.loads(about["facts"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
    return Kept(arrays, facts)

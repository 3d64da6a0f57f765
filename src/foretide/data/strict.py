"""JSON from anywhere, read within bounds: what is wrong with a file is said before it takes memory."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Never

from foretide.data.files import storing
from foretide.errors import ArtifactError

MOST_TEXT = 64 << 20
"""Bytes of a JSON file."""
MOST_VALUES = 2_000_000
"""Values in it, for each takes about a hundred bytes of memory."""
DEPTH = 60
"""Levels of its lists and dictionaries."""
DIGITS = 20
"""Of a whole number."""


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """Read a whole file that is one: no folder, pipe or device.

    Parameters
    ----------
    path : Path
    most : int, optional
        Bytes that it may have.

    Returns
    -------
    bytes

    Raises
    ------
    ArtifactError
        For anything else than a file, and for one that is too large.
    StorageError
        Where the system refuses.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "a.json")
    >>> _ = file.write_bytes(b"[1]")
    >>> read_bytes(file, most=10)
    b'[1]'
    >>> folder.cleanup()
    """
    check_file(path, most)
    with storing(path, deed="read"):
        return path.read_bytes()


def check_file(path: Path, most: int | None = None) -> None:
    """Refuse what is no file, or too large a one, as :func:`read_bytes` does.

    Parameters
    ----------
    path : Path
    most : int, optional
        Bytes that it may have.

    Raises
    ------
    ArtifactError, StorageError
    """
    with storing(path, deed="read"):
        found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ArtifactError(f"{path} is no file. Expected one that foretide wrote.")
    if most is not None and found.st_size > most:
        raise ArtifactError(f"{path} has {found.st_size:,} bytes, expected at most {most:,}.")


def read_json(content: bytes, path: str | os.PathLike[str]) -> object:
    """Return what a JSON file says, without what JSON leaves open: keys that come twice, numbers that are none.

    Parameters
    ----------
    content : bytes
        UTF-8, of at most 64 MB, two million values, and 60 levels.
    path : path
        Of the file, for messages.

    Returns
    -------
    object
        Dictionaries, lists, texts, finite numbers, whole ones of up to 20 digits, booleans and None.

    Raises
    ------
    ArtifactError
        That names the file and what was expected.

    Examples
    --------
    >>> read_json(b'{"h": 24}', "settings.json")
    {'h': 24}
    """
    name = os.fspath(path)
    if len(content) > MOST_TEXT:
        raise ArtifactError(f"{name} has {len(content):,} bytes, expected at most {MOST_TEXT:,}.")
    if (values := sum(content.count(mark) for mark in (b",", b"[", b"{"))) > MOST_VALUES:
        raise ArtifactError(f"{name} holds about {values:,} values, expected at most {MOST_VALUES:,}.")
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_dictionary, parse_constant=_no_number, parse_int=_whole,
            parse_float=_finite,
        )  # fmt: skip
        _check_depth(value)
    except RecursionError:
        raise ArtifactError(f"{name} is nested too deeply, expected at most {DEPTH} levels.") from None
    except ValueError as error:
        raise ArtifactError(f"{name} cannot be read: {error}. Expected JSON as foretide writes it.") from error
    return value


def _dictionary(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} comes twice")
    return made


def _no_number(text: str) -> Never:
    raise ValueError(f"{text} is no number of JSON")


def _whole(text: str) -> int:
    if len(text) > DIGITS + 1:
        raise ValueError(f"a whole number of {len(text):,} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _check_depth(value: object) -> None:
    """Look at every level and every text, without recursion."""
    level = [value]
    for _ in range(DEPTH + 1):
        deeper: list[object] = []
        for one in level:
            if isinstance(one, str):
                one.isascii() or one.encode("utf-8")  # half a pair of surrogates is a ValueError
            elif isinstance(one, dict):
                deeper += one
                deeper += one.values()
            elif isinstance(one, list):
                deeper += one
        if not deeper:
            return
        level = deeper
    raise RecursionError

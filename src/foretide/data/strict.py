"""JSON and safetensors from anywhere, read within bounds: what is wrong with a file is said before it takes memory."""

from __future__ import annotations

import json
import math
import os
import stat
import struct
from pathlib import Path
from typing import Never

import numpy as np

from foretide.data.files import storing
from foretide.errors import ArtifactError
from foretide.typing import Array

MOST_TEXT = 64 << 20
"""Bytes of a JSON file."""
MOST_VALUES = 2_000_000
"""Values in it, for each takes about a hundred bytes of memory."""
DEPTH = 60
"""Levels of its lists and dictionaries."""
DIGITS = 20
"""Of a whole number."""
MOST_HEADER = 16 << 20
MOST_AXES = 8
MOST_EMPTY = 1_000_000
"""Longest axis of an array without values."""
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
"""Names of the types of numbers in safetensors -> NumPy's."""


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
    with storing(path, deed="read"):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise ArtifactError(f"{path} is no file. Expected one that foretide wrote.")
        if most is not None and found.st_size > most:
            raise ArtifactError(f"{path} has {found.st_size:,} bytes, expected at most {most:,}.")
        return path.read_bytes()


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


def read_tensors(content: bytes, path: str | os.PathLike[str]) -> dict[str, Array]:
    """Return the arrays of a safetensors file, whose header is checked first.

    Parameters
    ----------
    content : bytes
    path : path
        Of the file, for messages.

    Returns
    -------
    dict
        Name -> array that can be written to, of float64, float32, int64, int32, uint8 or bool.

    Raises
    ------
    ArtifactError
        Where sizes, places and types in the header do not agree with each other and with the length of the file.

    Examples
    --------
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> read_tensors(save({"mean": np.array([1.0, 2.0])}), "state.safetensors")
    {'mean': array([1., 2.])}
    """
    name = os.fspath(path)
    header, begin = _header(content, len(content), name)
    data, end = memoryview(content)[begin:], 0
    found: dict[str, Array] = {}
    for key, entry in sorted(header.items(), key=lambda item: _place(item[1])):
        dtype, shape, low, high = _checked_entry(key, entry, name)
        if low != end or high > len(data):
            raise ArtifactError(f"{name}: {key!r} lies at bytes {low:,} to {high:,}, expected from {end:,} on.")
        found[key] = np.frombuffer(data[low:high], dtype).reshape(shape).copy()
        if dtype == "?" and (found[key].view(np.uint8) > 1).any():
            raise ArtifactError(f"{name}: {key!r} holds flags that are neither 0 nor 1.")
        end = high
    if end != len(data):
        raise ArtifactError(f"{name} has {len(data):,} bytes of arrays, its header tells of {end:,}.")
    return {key: found[key] for key in header}


def tensors_length(path: Path) -> int:
    """Return how many bytes a safetensors file must have by its header, without reading the rest.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int

    Raises
    ------
    ArtifactError
        For a header that cannot be read.
    StorageError
        Where the system refuses.
    """
    read_bytes(path, 0) if not path.is_file() else None  # says what it is instead
    with storing(path, deed="read"), path.open("rb") as file:
        first = file.read(8)
        size = min(struct.unpack("<Q", first)[0], MOST_HEADER) if len(first) == 8 else 0
        content = first + file.read(size)
    header, begin = _header(content, path.stat().st_size, str(path))
    return begin + max((_checked_entry(key, entry, str(path))[3] for key, entry in header.items()), default=0)


def _header(content: bytes, length: int, name: str) -> tuple[dict[str, object], int]:
    """Return the header of a safetensors file of so many bytes, and where it ends."""
    size = struct.unpack("<Q", content[:8])[0] if length >= 8 else 0
    if not 2 <= size <= min(length - 8, MOST_HEADER):
        raise ArtifactError(f"{name} is no safetensors file: its header of {size:,} bytes is not in it.")
    header = read_json(content[8 : 8 + size].rstrip(b" "), f"The header of {name}")
    if not isinstance(header, dict):
        raise ArtifactError(f"{name} has a header that is no dictionary of arrays.")
    return header, 8 + size


def _place(entry: object) -> tuple[int, ...]:
    """Where an array begins and ends, for sorting; whatever is wrong with it is said later."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    return tuple(offsets) if isinstance(offsets, list) and all(isinstance(one, int) for one in offsets) else ()


def _checked_entry(key: str, entry: object, name: str) -> tuple[str, tuple[int, ...], int, int]:
    """Return type, shape, begin and end of an array."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ArtifactError(f"{name}: {key!r} is not described by dtype, shape and data_offsets.")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in DTYPES:
        raise ArtifactError(f"{name}: {key!r} is of the type {kind!r}, expected one of {', '.join(DTYPES)}.")
    if not _sizes(shape) or len(shape) > MOST_AXES or (0 in shape and max(shape) > MOST_EMPTY):
        raise ArtifactError(f"{name}: {key!r} has the shape {str(shape)[:80]}, which no array has.")
    if not _sizes(offsets) or len(offsets) != 2:
        raise ArtifactError(f"{name}: {key!r} lies at {str(offsets)[:80]}, expected two numbers of bytes.")
    dtype, (low, high) = DTYPES[kind], offsets
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if high - low != wanted:
        raise ArtifactError(f"{name}: {key!r} of shape {tuple(shape)} takes {wanted:,} bytes, not {high - low:,}.")
    return dtype, tuple(shape), low, high


def _sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


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

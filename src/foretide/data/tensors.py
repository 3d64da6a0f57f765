"""Arrays as safetensors: read strictly, from anywhere, and both ways in parts, so that they may exceed the memory."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from foretide.data import scratch
from foretide.data.files import storing
from foretide.data.strict import check_file, read_json
from foretide.errors import ArtifactError
from foretide.typing import Array

MOST_HEADER = 16 << 20
MOST_AXES = 8
MOST_EMPTY = 1_000_000
"""Longest axis of an array without values."""
_PART = 4 << 20
"""Bytes that are read and written at once."""
_IN_MEMORY = np.zeros(0)
_ORDER = ("I64", "F64", "F32", "I32", "U8", "BOOL")
"""Types in the order in which safetensors lays arrays out, so that each begins where its numbers may."""
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
"""Names of the types of numbers in safetensors -> NumPy's."""


def load_tensors(path: Path, sha256: str | None) -> dict[str, Array] | None:
    """Return the arrays of a safetensors file, whose header is checked first, read once and in parts.

    Parameters
    ----------
    path : Path
    sha256 : str or None
        What the file must have.

    Returns
    -------
    dict or None
        Name -> array that can be written to; a large one lies in a file of its own, as that of
        :func:`foretide.data.scratch.empty`. None where the file has another SHA-256.

    Raises
    ------
    ArtifactError
        Where sizes, places and types in the header do not agree with each other and with the length of the file.
    StorageError
        Where the system refuses.
    """
    with storing(path, deed="read"), path.open("rb") as file:
        told = _Hashed(file)
        try:
            found, wrong = _tensors_from(told, os.fstat(file.fileno()).st_size, str(path)), None
        except ArtifactError as error:
            found, wrong = None, error
        while told.read(_PART):
            pass
    if told.sha256.hexdigest() != sha256:
        return None
    if wrong is not None:
        raise wrong
    return found


def write_tensors(path: Path, arrays: Mapping[str, Array]) -> str:
    """Write arrays as safetensors, byte for byte as that package does, in parts; return the SHA-256 of the file.

    Parameters
    ----------
    path : Path
    arrays : mapping
        Name -> array, of float64, float32, int64, int32, uint8 or bool.

    Returns
    -------
    str

    Raises
    ------
    ArtifactError
        For other types.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "state.safetensors")
    >>> load_tensors(file, write_tensors(file, {"mean": np.array([1.0, 2.0])}))
    {'mean': array([1., 2.])}
    >>> folder.cleanup()
    """
    kinds = {np.dtype(numpy): kind for kind, numpy in DTYPES.items()}
    for name, array in arrays.items():
        if array.dtype not in kinds:
            raise ArtifactError(f"{path}: {name!r} is {array.dtype}, expected one of {', '.join(map(str, kinds))}.")
    names = sorted(arrays, key=lambda name: (_ORDER.index(kinds[arrays[name].dtype]), name.encode()))
    header, end = {}, 0
    for name in names:
        array = arrays[name]
        offsets, end = [end, end + array.nbytes], end + array.nbytes
        header[name] = {"dtype": kinds[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    told = hashlib.sha256()
    with path.open("wb") as file:
        for part in (struct.pack("<Q", len(text)), text):
            file.write(part)
            told.update(part)
        for name in names:
            for some in _in_parts(arrays[name]):
                file.write(some)
                told.update(some)
    return told.hexdigest()


def map_tensors(path: Path) -> dict[str, Array]:
    """Return the arrays of a safetensors file of our own, mapped from it, to be read only.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        Name -> array.

    Raises
    ------
    ArtifactError
        For a header that does not fit the file.
    StorageError
        Where the system refuses.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name, "state.safetensors")
    >>> _ = write_tensors(file, {"mean": np.array([1.0, 2.0])})
    >>> map_tensors(file)["mean"].tolist()
    [1.0, 2.0]
    >>> folder.cleanup()
    """
    with storing(path, deed="read"):
        whole = np.memmap(path, dtype=np.uint8, mode="r")
    header, begin = _header(whole[: 8 + MOST_HEADER].tobytes(), len(whole), str(path))
    found: dict[str, Array] = {}
    for name, entry in header.items():
        dtype, shape, low, high = _checked_entry(name, entry, str(path))
        if begin + high > len(whole):
            raise ArtifactError(f"{path} ends within {name!r}.")
        found[name] = whole[begin + low : begin + high].view(np.ndarray).view(dtype).reshape(shape)
    return found


def _in_parts(array: Array) -> Iterator[memoryview]:
    """Yield the bytes of an array."""
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, _PART // max(1, array.nbytes // max(1, len(rows))))
    for low in range(0, len(rows), step):
        yield np.ascontiguousarray(rows[low : low + step]).reshape(-1).view(np.uint8).data


class _Hashed:
    """A file whose SHA-256 is taken as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.sha256.update(content)
        return content

    def readinto(self, place: memoryview) -> int:
        n = self.file.readinto(place)  # type: ignore[attr-defined]  # of a buffered file
        self.sha256.update(place[:n])
        return int(n)


def _tensors_from(stream: _Hashed, length: int, name: str) -> dict[str, Array]:
    """Return the arrays of a safetensors file of so many bytes."""
    first = stream.read(8)
    size = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
    content = first + (stream.read(size) if size <= min(length, MOST_HEADER) else b"")
    header, begin = _header(content, length, name)
    held, end = length - begin, 0
    found: dict[str, Array] = {}
    for key, entry in sorted(header.items(), key=lambda item: _place(item[1])):
        dtype, shape, low, high = _checked_entry(key, entry, name)
        if low != end or high > held:
            raise ArtifactError(f"{name}: {key!r} lies at bytes {low:,} to {high:,}, expected from {end:,} on.")
        found[key] = scratch.empty(shape, np.dtype(dtype), like=_IN_MEMORY)
        cells = found[key].reshape(-1).view(np.uint8)
        for start in range(0, high - low, _PART):
            some = cells[start : start + _PART]
            if stream.readinto(some.data) < len(some):
                raise ArtifactError(f"{name} ends within {key!r}.")
            if dtype == "?" and (some > 1).any():
                raise ArtifactError(f"{name}: {key!r} holds flags that are neither 0 nor 1.")
        end = high
    if end != held:
        raise ArtifactError(f"{name} has {held:,} bytes of arrays, its header tells of {end:,}.")
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
    check_file(path)
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

"""The bytes of a table: from a file or standard input, unpacked where they are packed."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import os
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from foretide.data.tables.limits import current, too_large
from foretide.errors import DataError, nearest

TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat")
PARQUET = (".parquet", ".pq", ".parq")
PACKED = (".gz", ".bz2", ".xz", ".zip")
STDIN = "-"
_PIECE = 1 << 24
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
_OPENERS: dict[bytes, Callable[[io.BytesIO], IO[bytes]]] = {
    b"\x1f\x8b": lambda raw: cast("IO[bytes]", gzip.GzipFile(fileobj=raw)),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"(\xb5/\xfd": "packed by zstd",
}
_ELSE = "Save the table as CSV or Parquet, or read it yourself and pass the frame: Panel.from_frame(frame, ...)."


@dataclass(frozen=True)
class Source:
    """The unpacked content of a table.

    Attributes
    ----------
    name : str
        File name, for messages.
    data : bytes
    """

    name: str
    data: bytes

    @property
    def is_parquet(self) -> bool:
        """Whether the content is Parquet, whatever the ending says."""
        return self.data[:4] == b"PAR1" or self.name.lower().endswith(PARQUET)


def holds_files(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a folder, or files by a pattern: a table to be opened, and not read whole.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool

    Examples
    --------
    >>> from foretide.data.tables.source import holds_files
    >>> holds_files("sales/*.parquet"), holds_files("sales.csv")
    (True, False)
    """
    typed = os.path.expanduser(os.fspath(path))
    return os.path.isdir(typed) or (glob.has_magic(typed) and not os.path.lexists(typed))


def refuse_address(path: str | os.PathLike[str]) -> None:
    """Raise where a path is an address, ``s3://bucket/sales``: tables are read from disks.

    Parameters
    ----------
    path : path

    Raises
    ------
    DataError
        It says what to do.
    """
    typed = os.fspath(path)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", typed)  # a single letter is a disk of Windows
    if scheme is None or os.path.lexists(typed):
        return
    if scheme[1].lower() == "file":
        raise DataError(f"{typed} is an address. Type the path in it, without file://")
    raise DataError(
        f"{typed} is an address, and tables are read from disks. Copy what lies there, or mount it; a single file can "
        "be read by pandas or polars too: Panel.from_frame(pandas.read_parquet(...), ...)."
    )


def open_source(path: str | os.PathLike[str]) -> Source:
    """Return the content of a file, or of standard input.

    Parameters
    ----------
    path : path
        ``-`` is standard input.

    Returns
    -------
    Source

    Raises
    ------
    DataError
        It says why it cannot be had.
    """
    if str(path) == STDIN:
        name, raw = "standard input", _of_stdin()
    else:
        refuse_address(path)
        file = Path(path)
        _check_file(file)
        name = file.name
        try:
            with file.open("rb") as stream:
                raw = _bounded(stream, name)
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    data = _unpacked(raw, name)
    what = next((what for magic, what in _FOREIGN.items() if data.startswith(magic)), None)
    if what is not None:
        raise DataError(f"{name} is {what}, no CSV or Parquet table. {_ELSE}")
    if not data:
        raise DataError(f"{name} is empty: expected a header line and rows below it.")
    return Source(name, data)


def _of_stdin() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError("Expected a table on standard input, such as: cat sales.csv | foretide check -")
    return _bounded(sys.stdin.buffer, "standard input")


def _check_file(file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not file.parent.is_dir():
            raise DataError(f"There is no folder {str(file.parent)!r} to read {file.name!r} from.") from None
        here = sorted(p.name for p in file.parent.iterdir() if p.suffix.lower() in (*TEXT, *PARQUET, *PACKED))
        raise DataError(f"There is no file {str(file)!r}. {nearest(file.name, here[:50])}") from None
    except (OSError, ValueError) as error:  # a name too long, or with a NUL
        raise DataError(f"{str(file)[:80]!r} cannot be read: {error}.") from error
    if stat.S_ISDIR(mode):
        raise DataError(f"{str(file)!r} is a folder. Name one file in it.")
    if stat.S_ISFIFO(mode):
        return
    if not stat.S_ISREG(mode):
        raise DataError(f"{str(file)!r} is no ordinary file. Name a file, or - for standard input.")
    inner = file.name.lower()
    for packed in PACKED:
        inner = inner.removesuffix(packed)
    if not inner.endswith((*TEXT, *PARQUET)) and inner == file.name.lower():
        raise DataError(
            f"Expected a file ending in {', '.join((*TEXT, *PARQUET, *PACKED))}; got {file.name!r}. {_ELSE}"
        )


def _unpacked(raw: bytes, name: str) -> bytes:
    if raw.startswith(b"PK\x03\x04"):
        return _unzipped(raw, name)
    for magic, opener in _OPENERS.items():
        if raw.startswith(magic):
            try:
                with opener(io.BytesIO(raw)) as stream:
                    return _bounded(stream, name, len(raw))
            except _BROKEN as error:
                raise DataError(_damaged(name, error)) from error
    if name.lower().endswith(PACKED) and raw:
        raise DataError(f"{name} is not packed, whatever its ending says, or is damaged. Rename it, or copy it anew.")
    return raw


def _damaged(name: str, error: BaseException) -> str:
    return f"{name} is damaged and cannot be unpacked to its end ({error}). Copy or make the file anew."


def _unzipped(raw: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            files = [f for f in archive.namelist() if not f.endswith("/") and not f.startswith("__MACOSX/")]
            if "[Content_Types].xml" in files:
                raise DataError(f"{name} is an Excel workbook, no CSV or Parquet table. {_ELSE}")
            if len(files) != 1:
                raise DataError(f"{name} holds {len(files)} files. Expected one table in it: unpack it and name one.")
            with archive.open(files[0]) as stream:
                return _bounded(stream, name, len(raw))
    except DataError:
        raise
    except (*_BROKEN, zipfile.BadZipFile, struct.error, RuntimeError, KeyError) as error:
        raise DataError(_damaged(name, error)) from error


def _bounded(stream: IO[bytes], name: str, packed: int | None = None) -> bytes:
    """Return what a stream holds, or a :class:`DataError` before it holds more than a table may."""
    limits = current()
    most = limits.bytes if packed is None else limits.unpacked(packed)
    pieces, total = [], 0
    while piece := stream.read(_PIECE):
        total += len(piece)
        if total > most:
            raise too_large(name, most, packed)
        pieces.append(piece)
    return b"".join(pieces)

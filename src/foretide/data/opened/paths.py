"""Where the Parquet files of a table lie: below a folder, by a pattern, or one file."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from foretide.data.tables.source import PARQUET, refuse_address
from foretide.errors import DataError, nearest

_MAGIC = b"PAR1"
_NAMED = 5


def list_files(typed: str) -> tuple[Path, list[Path]]:
    """Return the files that a path stands for, and the folder that their names are counted from.

    Parameters
    ----------
    typed : str
        A folder, a pattern, whose matches may be folders, or one file.

    Returns
    -------
    root : Path
        Lies in no folder such as ``shop=12``, so that these name columns wherever a path begins.
    files : list of Path
        In the order of their names.

    Raises
    ------
    DataError
        Where there are none.
    """
    refuse_address(typed)
    path = Path(typed)
    if path.is_dir():
        root, files = path, _below(path)
    elif path.is_file():
        root, files = path.parent, [path]
    else:
        root, found = _matches(path)
        files = sorted({p: None for one in found for p in (_below(one) if one.is_dir() else [one])}, key=_parts)
    if not files:
        raise DataError(_why_none(path))
    while "=" in root.name:
        root = root.parent
    return root, files


def _below(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder; those without an ending, as some programs write, where all are."""
    every = sorted((p for p in folder.rglob("*") if p.is_file()), key=_parts)
    shown = [p for p in every if not any(part[:1] in "._" for part in p.relative_to(folder).parts)]
    named = [p for p in shown if p.suffix.lower() in PARQUET]
    return named or [p for p in shown if not p.suffix and _is_parquet(p)]


def _matches(pattern: Path) -> tuple[Path, list[Path]]:
    """Return the folder above the first sign of a pattern, and what matches; a folder of that name is no pattern."""
    parts, root = pattern.parts, Path()
    for k, part in enumerate(parts):
        if not (root / part).is_dir() and glob.has_magic(part):
            below = os.path.join(glob.escape(str(root)), *parts[k:])
            return root, [Path(found) for found in glob.glob(below, recursive=True)]
        root /= part
    return root, []


def _parts(path: Path) -> tuple[str, ...]:
    return path.parts


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def _why_none(path: Path) -> str:
    if path.is_dir():
        others = sorted(p.name for p in path.iterdir())
        held = f"It holds {', '.join(others[:_NAMED])}{', …' * (len(others) > _NAMED)}." if others else "It is empty."
        return f"There is no Parquet file in {path}. {held} CSV files are read whole, one by one: Panel.read(...)."
    if glob.has_magic(str(path)):
        return f"No Parquet file has a name like {path}. Name a folder, or another pattern: 'sales/*.parquet'."
    near = path.parent
    if not near.is_dir():
        return f"There is no folder {str(near)!r}. Name a folder of Parquet files, or a pattern: 'sales/*.parquet'."
    here = sorted(p.name for p in near.iterdir() if p.is_dir() or p.suffix.lower() in PARQUET)
    return f"There is no file or folder {str(path)!r}. {nearest(path.name, here[:50]) if here else ''}".rstrip()

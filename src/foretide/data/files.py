"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, writer: Callable[[Path], object]) -> Path:
    """Write a file under a temporary name beside its place with ``writer(path)``, then move it there.

    A reader never sees half a file, and one that was there before stays until the new one is whole. The folder is made
    where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        writer(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def file_name(name: str) -> str:
    """Return a model's name as a file or folder name."""
    return "".join(c if c.isalnum() or c in "-_.()" else "-" for c in name).strip(".") or "model"

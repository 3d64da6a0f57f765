"""What is replaced lies aside until the new one is whole: in a hidden folder that says whose it is.

Only folders that hold the marker are ever put back or removed; what else lies beside them is nobody's business here.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from foretide.data.files import PART, flush_to_disk, storing

PREFIX, MARKER, CONTENT = f"{PART}aside-", "set-aside-by-foretide.json", "old"


def set_aside(path: Path) -> Path:
    """Move a file or folder into a hidden folder beside it; return where it lies now.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
        Where it lies now.

    Raises
    ------
    StorageError
        Where the system refuses; it is where it was then.
    """
    with storing(path, "It is where it was.", deed="set aside"):
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
        try:
            (place / MARKER).write_text(json.dumps({"set_aside": path.name}), encoding="utf-8")
            flush_to_disk(place / MARKER)
            path.rename(place / CONTENT)
        except BaseException:
            _remove_place(place)
            raise
    return place / CONTENT


def asides_of(path: Path) -> list[Path]:
    """Return what was set aside from a place and still lies there, the latest first.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Path
    """
    if not path.parent.is_dir():
        return []
    with storing(path.parent, deed="read"):
        places = [place for place in path.parent.iterdir() if place.name.startswith(PREFIX) and _came_from(place, path)]
        found = [place / CONTENT for place in places if os.path.lexists(place / CONTENT)]
        return sorted(found, key=lambda content: content.parent.stat().st_mtime_ns, reverse=True)


def put_back(content: Path, path: Path) -> None:
    """Move what was set aside to where it came from; an empty folder that took its place goes.

    Parameters
    ----------
    content : Path
        As :func:`set_aside` returned it.
    path : Path
    """
    with storing(path, f"What was there before lies in {content}.", deed="put back"):
        if path.is_dir() and not path.is_symlink():
            for part in path.iterdir():
                if part.name.startswith(PART):
                    part.unlink()
            path.rmdir()
        content.rename(path)
        _remove_place(content.parent)


def drop(content: Path) -> None:
    """Remove what was set aside, for good; links in it are removed, not followed.

    Parameters
    ----------
    content : Path
    """
    with storing(content, deed="remove"):
        _remove_place(content.parent)


def _came_from(place: Path, path: Path) -> bool:
    if place.is_symlink() or not (place / MARKER).is_file():
        return False
    try:
        told = json.loads((place / MARKER).read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("set_aside") == path.name


def _remove_place(place: Path) -> None:
    """Remove the content first and the marker last, so that a kill in between leaves what is still known as ours."""
    content = place / CONTENT
    if content.is_symlink() or content.is_file():
        content.unlink()
    elif content.is_dir():
        shutil.rmtree(content)
    (place / MARKER).unlink(missing_ok=True)
    place.rmdir()

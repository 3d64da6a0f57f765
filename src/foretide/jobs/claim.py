"""One writer for a folder: a lock that the system takes back when its owner dies."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foretide.data.files import PART, storing
from foretide.errors import ConfigError


class TakenError(ConfigError):
    """Somebody else writes to a folder, or has just finished doing so."""


@dataclass
class Claim:
    """A lock on a path, held until :meth:`release` or the end of the process.

    Attributes
    ----------
    file : Path
        The lock's; it lies beside the folder, or inside where nothing can be written beside it.
    """

    file: Path
    _handle: IO[bytes] | None = None

    @classmethod
    def on(cls, path: Path) -> Claim:
        """Take the lock of a path.

        Parameters
        ----------
        path : path

        Returns
        -------
        Claim

        Raises
        ------
        TakenError
            When another process, or another thread of this one, holds it.
        StorageError
            Where it cannot be written.
        """
        real = Path(os.path.realpath(path))
        digest = hashlib.sha256(os.path.normcase(real.name).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        with storing(path, "Nothing was changed.", deed="make the folder"):
            real.parent.mkdir(parents=True, exist_ok=True)
            place = real if real.is_dir() and not os.access(real.parent, os.W_OK) else real.parent
            claim = cls(place / f"{PART}{digest}.lock")
            while not claim._try():
                pass
        if claim._handle is None:
            raise TakenError(f"A run is writing to {path} right now. Choose another output.")
        return claim

    def release(self) -> None:
        """Give the lock back and remove its file; nothing where that was done already."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        try:
            with contextlib.suppress(OSError):  # on Windows an open file stays; nobody holds it then, and that counts
                self.file.unlink()
        finally:
            handle.close()

    def __del__(self) -> None:
        if self._handle is not None:
            self._handle.close()

    def _try(self) -> bool:
        """Open and lock the file; False where its owner removed it in between, so that it has to be tried again."""
        handle = os.fdopen(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o644), "r+b")
        if not _lock(handle):
            handle.close()
            return True
        try:
            same = os.path.samestat(os.fstat(handle.fileno()), self.file.stat())
        except FileNotFoundError:
            same = False
        if not same:
            handle.close()
            return False
        self._handle = handle
        return True


def _lock(handle: IO[bytes]) -> bool:
    """Lock a file if nobody else holds it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

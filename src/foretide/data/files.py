"""The one door to the disk: files that appear whole or not at all, errors in one line, names that cannot clash."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foretide.errors import ArtifactError, ForetideError, StorageError

PART = ".foretide-"
"""What is not whole yet, or lies aside for a while, has a name that begins like this."""
LONGEST = 100
"""Longest name of a file in bytes, endings and temporary names left out; file systems take 255."""
_HALF_WRITTEN = re.compile(rf"{re.escape(PART)}([0-9a-f]{{12}}(\..*)?|[a-z0-9_]{{8}})")
"""A file of :func:`write_whole`, or a folder of ``tempfile.mkdtemp``."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@contextmanager
def storing(path: str | os.PathLike[str], kept: str = "", *, deed: str = "write") -> Iterator[None]:
    """Turn what the system says when a disk is full, a folder read-only or a path too long into one line.

    Parameters
    ----------
    path : path
        What is written, made, read or removed inside.
    kept : str
        A sentence on what is still there.
    deed : str
        What is tried: "write", "read", "make the folder" ….

    Returns
    -------
    context manager

    Raises
    ------
    StorageError
        From the ``OSError``; errors of foretide's own pass through.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, ForetideError) or error.errno == errno.EPIPE:
            raise
        raise storage_error(error, path, kept, deed=deed) from error


def at_home(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` and ``~name`` as the home they stand for; as it is where there is no such home.

    Parameters
    ----------
    path : path

    Returns
    -------
    path

    Examples
    --------
    >>> from foretide.data.files import at_home
    >>> str(at_home("~nobody-of-this-name/sales.csv"))
    '~nobody-of-this-name/sales.csv'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def understood(path: str | os.PathLike[str], remedy: str = "Make it again with this version.") -> Iterator[None]:
    """Turn whatever comes of content that was damaged or edited into one error that names where it lies.

    Parameters
    ----------
    path : path
        What is read inside.
    remedy : str
        What to do then.

    Returns
    -------
    context manager

    Raises
    ------
    ArtifactError
        From any other error; foretide's own pass through.
    StorageError
        Where the system says that the file cannot be read.

    Examples
    --------
    >>> from foretide.data.files import understood
    >>> with understood("runs/shop/run.json"):
    ...     {}["kind"]
    Traceback (most recent call last):
    foretide.errors.ArtifactError: runs/shop/run.json cannot be read: KeyError: 'kind'. Make it again with this version.
    """
    try:
        yield
    except ForetideError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise storage_error(error, path, deed="read") from error
        raise _not_understood(path, error, remedy) from error
    except Exception as error:  # libraries raise errors of many kinds for content that is not theirs
        raise _not_understood(path, error, remedy) from error


def _not_understood(path: str | os.PathLike[str], error: Exception, remedy: str) -> ArtifactError:
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ArtifactError(f"{path} cannot be read: {said[:300].rstrip('.')}. {remedy}")


def storage_error(error: OSError, path: str | os.PathLike[str], kept: str = "", *, deed: str = "write") -> StorageError:
    """Return an ``OSError`` as one line for a person, with its number.

    Parameters
    ----------
    error : OSError
    path : path
    kept, deed : str
        As for :func:`storing`.

    Returns
    -------
    StorageError
    """
    reason = os.strerror(error.errno) if error.errno else str(error).strip() or type(error).__name__
    reason = reason if reason[:2].isupper() else reason[:1].lower() + reason[1:]
    told = StorageError(" ".join(f"Could not {deed} {os.fspath(path)}: {reason.rstrip('.')}. {kept}".split()))
    told.errno = error.errno
    return told


def write_whole(path: Path, writer: Callable[[Path], object]) -> Path:
    """Write a file under a temporary name beside its place with ``writer(path)``, then move it there.

    A reader never sees half a file, and one that was there before stays until the new one is whole and on the disk. The
    folder is made where it is missing.

    Parameters
    ----------
    path : Path
    writer : callable
        Gets the temporary path and writes it.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    StorageError
        Where the system refuses; nothing has changed then.
    """
    path = Path(path)
    ending = path.suffix if len(path.suffix) < 16 else ""
    part = path.parent / f"{PART}{uuid.uuid4().hex[:12]}{ending}"
    with storing(path, "The former file is kept." if os.path.lexists(path) else "Nothing was left behind."):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        try:
            writer(part)
            flush_to_disk(part)
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):  # the error that brought us here says more
                part.unlink(missing_ok=True)
            raise
    with storing(path, "It is there, but a power cut may still undo that."):
        flush_folder(path.parent)
    return path


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder and below; only for whoever alone writes there.

    Parameters
    ----------
    folder : Path
    """
    with storing(folder, deed="remove what is half-written in"):
        for path in sorted(folder.rglob(f"{PART}*")):
            if path.is_symlink() or path.suffix == ".lock" or not _HALF_WRITTEN.fullmatch(path.name):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a text file (UTF-8) as :func:`write_whole` does.

    Parameters
    ----------
    path : Path
    text : str

    Returns
    -------
    Path
    """
    return write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def read_text(path: Path) -> str:
    """Read a text file (UTF-8).

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Raises
    ------
    StorageError
        For one that cannot be read: a folder, without permission, not UTF-8.
    """
    with storing(path, deed="read"):
        try:
            return Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise StorageError(
                f"Could not read {path}: byte {error.start} is not UTF-8. Save it as UTF-8 text."
            ) from error


def flush_to_disk(path: Path) -> None:
    """Wait until a file is on the disk, so that moving it into place cannot leave an empty one after a crash.

    Parameters
    ----------
    path : Path
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, so that a power cut cannot undo a move into it.

    Parameters
    ----------
    path : Path
    """
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


# ---------------------------------------------------------------- names
def file_name(name: str) -> str:
    """Return a name as that of a file or folder, other for every other name.

    A name that every file system takes stays as it is; any other keeps what can be kept and gets eight digits of its
    own, so that ``A/B`` and ``A-B`` do not meet. Names that differ in case only still do where a file system says so;
    :func:`foretide.forecasters.naming.check_names` refuses these.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.data.files import file_name
    >>> file_name("ETS"), file_name("A/B")
    ('ETS', 'A-B-998d3ed8')
    """
    plain = "".join(c if c.isalnum() or c in "-_.()" else "-" for c in unicodedata.normalize("NFKC", name))
    if name and plain == name == _cut(plain, LONGEST) == plain.strip(".") and _DEVICES.fullmatch(plain) is None:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    start = _cut(plain.replace(".", "-") if _DEVICES.fullmatch(plain) else plain, LONGEST - 9)
    return f"{start.strip('.') or 'model'}-{digest}"


def is_no_path(name: str) -> bool:
    """Whether a text can name a folder that :func:`file_name` makes safe: it is visible, and leads nowhere else.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> from foretide.data.files import is_no_path
    >>> is_no_path("my model"), is_no_path("../up")
    (True, False)
    """
    return name.isprintable() and not set(name) & set("/\\") and bool(name.strip(". "))


def _cut(text: str, size: int) -> str:
    return text.encode("utf-8", "ignore")[:size].decode("utf-8", "ignore")

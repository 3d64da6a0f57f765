"""Saved forecasters signed with a key: who has not the key cannot make or change one unnoticed.

HMAC-SHA256 over the manifest, which holds the checksums of all other files. It does not hide anything, and says nothing
of the age of a file: an old one that was signed with the same key is as good as a new one.
"""

from __future__ import annotations

import errno
import hmac
import os
from pathlib import Path

from foretide.data.strict import read_bytes
from foretide.errors import ArtifactError, ConfigError, StorageError

KEY = "FORETIDE_KEY"
"""Environment variable with the key."""
SIGNATURE = "manifest.hmac"


def secret_of(key: str | bytes | None) -> bytes | None:
    """Return a key as bytes, by default that of the environment.

    Parameters
    ----------
    key : str, bytes or None

    Returns
    -------
    bytes or None
        None without either.

    Raises
    ------
    ConfigError
        For an empty key, and one that is no text.

    Examples
    --------
    >>> secret_of("a long text that nobody guesses")
    b'a long text that nobody guesses'
    """
    given = os.environ.get(KEY) or None if key is None else key
    if given is not None and (not isinstance(given, (str, bytes)) or not given):
        raise ConfigError(f"key is a text or bytes that only you know, such as secrets.token_hex(); got {given!r}.")
    return given.encode() if isinstance(given, str) else given


def signature(secret: bytes, content: bytes) -> bytes:
    """Return the signature of a manifest, 64 hexadecimal digits.

    Parameters
    ----------
    secret, content : bytes

    Returns
    -------
    bytes

    Examples
    --------
    >>> signature(b"key", b"manifest")[:8]
    b'd4b7b4d4'
    """
    return hmac.new(secret, content, "sha256").hexdigest().encode()


def check_signature(folder: Path, secret: bytes, content: bytes) -> None:
    """Refuse a folder that is not signed with a key.

    Parameters
    ----------
    folder : Path
    secret : bytes
    content : bytes
        Of its manifest.

    Raises
    ------
    ArtifactError
    """
    path = folder / SIGNATURE
    try:
        found = read_bytes(path, 64)
    except StorageError as error:
        if error.errno != errno.ENOENT:
            raise
        raise ArtifactError(
            f"{folder} is not signed, and a key was given (key=..., or the variable {KEY}). Load it without one if "
            "you know where it comes from, or save it again with the key."
        ) from None
    if not hmac.compare_digest(found, signature(secret, content)):
        raise ArtifactError(
            f"{path} was not made with this key, or the forecaster was changed since. Give the key that it was saved "
            "with."
        )

"""Every error says what was expected, what came, and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class ForetideError(Exception):
    """Base of all errors raised on purpose by foretide."""


class DataError(ForetideError, ValueError):
    """The data handed in cannot be used as it is."""


class ConfigError(ForetideError, ValueError):
    """A setting has a value that cannot work."""


class NotFittedError(ForetideError, RuntimeError):
    """A forecaster was asked to predict before it was fitted."""


class LeakageError(ForetideError, RuntimeError):
    """A forecast was found to depend on values after its cutoff."""


class TrainingError(ForetideError, FloatingPointError):
    """Training produced a loss that is not a finite number."""


class ArtifactError(ForetideError, OSError):
    """A saved model or run folder cannot be read."""


class StorageError(ForetideError, OSError):
    """A file or folder could not be read, written or removed; the message says what is kept."""


class WorkerDiedError(ForetideError, RuntimeError):
    """A worker process ended in the middle of a task, again and again."""


class MissingExtraError(ForetideError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. Type: pip install 'foretide[{extra}]'"
        )


def nearest(name: object, known: Iterable[object]) -> str:
    """Return a sentence that names the closest known name, or all of them when none is close."""
    names = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if not close:
        lowered = {n.lower(): n for n in names}
        close = [lowered[c] for c in difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)]
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if names else "None is known."


def check_choice(name: str, value: object, known: Iterable[object]) -> None:
    """Refuse a setting that is none of the names it can have.

    Parameters
    ----------
    name : str
        The setting.
    value : object
        What was given.
    known : iterable
        What it can be.

    Raises
    ------
    ConfigError
        With all it can be, the nearest one among them.
    """
    names = list(known)
    if value not in names:
        raise ConfigError(f"{name} is one of {', '.join(map(repr, names))}; got {value!r}. {nearest(value, names)}")


def check_settings(config: object, fine: Mapping[str, bool], where: str = "") -> None:
    """Refuse the first field of a dataclass of settings that cannot work, and name its default.

    Parameters
    ----------
    config : dataclass
    fine : mapping
        Name of a field -> whether its value can work.
    where : str
        What stands behind "cannot work" in the message, e.g. ``" in stage 1"``.

    Raises
    ------
    ConfigError
        When one cannot.
    """
    for name, works in fine.items():
        if not works:
            value, default = getattr(config, name), getattr(type(config), name)
            raise ConfigError(f"{name}={value!r} cannot work{where}. Try the default, {name}={default!r}.")

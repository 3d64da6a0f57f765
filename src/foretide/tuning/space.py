"""What a search may choose from: one entry per setting, categorical or a range."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretide.errors import ConfigError
from foretide.forecasters.artifact import to_json

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class Choice:
    """One of several values, without an order.

    Attributes
    ----------
    options : tuple
        Anything a settings file can hold: numbers, texts, tuples, None.
    """

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        names = [_text(option) for option in self.options]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"A choice needs at least one option and none twice, got {list(self.options)!r}.")

    @property
    def size(self) -> float:
        """Number of values."""
        return len(self.options)

    def distribution(self) -> BaseDistribution:
        """Return the same for Optuna, which knows plain values only: others go by their text."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([self.encode(option) for option in self.options])

    def encode(self, value: Any) -> Any:
        """Return a value as Optuna holds it."""
        return value if isinstance(value, _PLAIN) else _text(value)

    def decode(self, held: Any) -> Any:
        """Undo :meth:`encode`."""
        return next(option for option in self.options if _text(self.encode(option)) == _text(held))

    def __contains__(self, value: Any) -> bool:
        return any(_text(value) == _text(option) for option in self.options)

    def values(self) -> Iterator[Any]:
        """Go through all values."""
        return iter(self.options)

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {"choice": [to_json(option) for option in self.options]}


@dataclass(frozen=True)
class Float:
    """A number from a range, evenly or evenly in its logarithm.

    Attributes
    ----------
    low, high : float
        Both included.
    log : bool
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)

    @property
    def size(self) -> float:
        """Number of values."""
        return math.inf if self.high > self.low else 1

    def distribution(self) -> BaseDistribution:
        """Return the same for Optuna."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(float(self.low), float(self.high), log=self.log)

    def encode(self, value: Any) -> float:
        """Return a value as Optuna holds it."""
        return float(value)

    def decode(self, held: Any) -> float:
        """Undo :meth:`encode`."""
        return float(held)

    def __contains__(self, value: Any) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    def values(self) -> Iterator[Any]:
        """Go through all values, of a range without width."""
        return iter((float(self.low),))

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {"float": [float(self.low), float(self.high)], "log": self.log}


@dataclass(frozen=True)
class Int:
    """A whole number from a range.

    Attributes
    ----------
    low, high : int
        Both included.
    log : bool
        Evenly in its logarithm.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)

    @property
    def size(self) -> float:
        """Number of values."""
        return self.high - self.low + 1

    def distribution(self) -> BaseDistribution:
        """Return the same for Optuna."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log)

    def encode(self, value: Any) -> int:
        """Return a value as Optuna holds it."""
        return int(value)

    def decode(self, held: Any) -> int:
        """Undo :meth:`encode`."""
        return int(held)

    def __contains__(self, value: Any) -> bool:
        return _is_number(value) and float(value).is_integer() and self.low <= value <= self.high

    def values(self) -> Iterator[Any]:
        """Go through all values."""
        return iter(range(self.low, self.high + 1))

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {"int": [self.low, self.high], "log": self.log}


Parameter = Choice | Float | Int
Space = dict[str, Parameter]


def parameter(name: str, given: Any) -> Parameter:
    """Read one entry: a list is a choice, ``(low, high)`` a range, ``(low, high, "log")`` one in the logarithm.

    Raises
    ------
    ConfigError
        For anything else.
    """
    if isinstance(given, (Choice, Float, Int)):
        return given
    if isinstance(given, list):
        return Choice(tuple(tuple(option) if isinstance(option, list) else option for option in given))
    if isinstance(given, tuple) and len(given) in (2, 3) and all(_is_number(end) for end in given[:2]):
        if given[2:] not in ((), ("log",)):
            raise ConfigError(f"{name}: the third entry of a range is 'log', got {given[2]!r}.")
        whole = all(isinstance(end, int) or hasattr(end, "__index__") for end in given[:2])
        log = len(given) == 3
        return Int(int(given[0]), int(given[1]), log) if whole else Float(float(given[0]), float(given[1]), log)
    raise ConfigError(
        f"{name}: expected a list of options [64, 128], a range (0.1, 0.5) or (1e-4, 1e-2, 'log'), got {given!r}."
    )


def grid(space: Mapping[str, Parameter]) -> float:
    """Return how many settings a space holds; infinity where it holds a range of real numbers."""
    return math.prod(entry.size for entry in space.values())


def settings_of(space: Mapping[str, Parameter]) -> Iterator[dict[str, Any]]:
    """Go through all settings of a finite space."""
    for values in itertools.product(*(entry.values() for entry in space.values())):
        yield dict(zip(space, values, strict=True))


def key_of(settings: Mapping[str, Any]) -> str:
    """Return a text that is equal for equal settings."""
    return json.dumps({name: to_json(value) for name, value in settings.items()}, sort_keys=True)


def described(space: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return a space as JSON."""
    return {name: entry.to_dict() for name, entry in space.items()}


def _text(value: Any) -> str:
    return json.dumps(to_json(value), sort_keys=True)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, (int, float)) or hasattr(value, "dtype"))


def _check_range(low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high) or (log and low <= 0):
        more = ", above 0 for a logarithmic one" if log else ""
        raise ConfigError(f"A range goes from low to high{more}; got ({low!r}, {high!r}).")

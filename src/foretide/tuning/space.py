"""What a search may choose from: one entry per setting, categorical or a range."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from foretide.errors import ConfigError
from foretide.forecasters.artifact import to_json

if TYPE_CHECKING:
    import numpy as np
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

    from foretide.typing import Json

Settings: TypeAlias = dict[str, object]
"""Setting -> its value: what a settings file can hold, a calendar or a forecaster."""
Held: TypeAlias = "bool | int | float | str | None"
"""A value as Optuna holds it."""


@dataclass(frozen=True)
class Choice:
    """One of several values, without an order.

    Attributes
    ----------
    options : tuple
        Anything a settings file can hold: numbers, texts, tuples, None.
    """

    options: tuple[object, ...]

    def __post_init__(self) -> None:
        names = [_text(option) for option in self.options]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"A choice needs at least one option and none twice, got {list(self.options)!r}.")

    @property
    def size(self) -> float:
        """Number of values."""
        return len(self.options)

    def distribution(self) -> CategoricalDistribution:
        """Return the same for Optuna, which knows plain values only: others go by their text."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([self.encode(option) for option in self.options])

    def encode(self, value: object) -> Held:
        """Return a value as Optuna holds it."""
        return value if value is None or isinstance(value, (bool, int, float, str)) else _text(value)

    def in_journal(self) -> Json:
        """The entry as Optuna's journals describe it."""
        return {"name": "CategoricalDistribution", "attributes": {"choices": [self.encode(o) for o in self.options]}}

    def number(self, value: object) -> float:
        """Return what Optuna's journals hold for a value: its place among the options."""
        return float(next(k for k, option in enumerate(self.options) if _text(option) == _text(value)))

    def draw(self, draws: np.random.Generator) -> object:
        """Return an option at random."""
        return self.options[int(draws.integers(len(self.options)))]

    def decode(self, held: object) -> object:
        """Undo :meth:`encode`."""
        return next(option for option in self.options if _text(self.encode(option)) == _text(held))

    def __contains__(self, value: object) -> bool:
        return any(_text(value) == _text(option) for option in self.options)

    def ends(self) -> tuple[object, ...]:
        """Return values of every kind: all options, or both ends of a range."""
        return self.options

    def values(self) -> Iterator[object]:
        """Go through all values."""
        return iter(self.options)

    def to_dict(self) -> Json:
        """The entry as JSON."""
        return {"choice": [to_json(option) for option in self.options]}


@dataclass(frozen=True)
class _Range:
    """Numbers between two ends, both included; ``log``: evenly in their logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        if not (math.isfinite(low) and math.isfinite(high) and low <= high) or (self.log and low <= 0):
            more = ", above 0 for a logarithmic one" if self.log else ""
            raise ConfigError(f"A range goes from low to high{more}; got ({low!r}, {high!r}).")

    def __contains__(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    def ends(self) -> tuple[float, float]:
        """Return values of every kind: all options, or both ends of a range."""
        return self.low, self.high

    def number(self, value: object) -> float:
        """Return what Optuna's journals hold for a value: itself."""
        assert _is_number(value)
        return float(value)

    def _between(self, low: float, high: float, draws: np.random.Generator) -> float:
        """Return a number between two ends, evenly or evenly in its logarithm."""
        if self.log:
            return math.exp(draws.uniform(math.log(low), math.log(high)))
        return float(draws.uniform(low, high))


@dataclass(frozen=True)
class Float(_Range):
    """A number from a range, evenly or evenly in its logarithm.

    Attributes
    ----------
    low, high : float
        Both included.
    log : bool
    """

    @property
    def size(self) -> float:
        """Number of values."""
        return math.inf if self.high > self.low else 1

    def distribution(self) -> FloatDistribution:
        """Return the same for Optuna."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(float(self.low), float(self.high), log=self.log)

    def in_journal(self) -> Json:
        """The entry as Optuna's journals describe it."""
        about: Json = {"step": None, "low": float(self.low), "high": float(self.high), "log": self.log}
        return {"name": "FloatDistribution", "attributes": about}

    def draw(self, draws: np.random.Generator) -> float:
        """Return a number at random."""
        return min(max(self._between(self.low, self.high, draws), float(self.low)), float(self.high))

    def encode(self, value: object) -> float:
        """Return a value as Optuna holds it."""
        assert _is_number(value)
        return float(value)

    decode = encode

    def values(self) -> Iterator[float]:
        """Go through all values, of a range without width."""
        return iter((float(self.low),))

    def to_dict(self) -> Json:
        """The entry as JSON."""
        return {"float": [float(self.low), float(self.high)], "log": self.log}


@dataclass(frozen=True)
class Int(_Range):
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

    @property
    def size(self) -> float:
        """Number of values."""
        return self.high - self.low + 1

    def distribution(self) -> IntDistribution:
        """Return the same for Optuna."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log)

    def in_journal(self) -> Json:
        """The entry as Optuna's journals describe it."""
        about: Json = {"log": self.log, "step": 1, "low": self.low, "high": self.high}
        return {"name": "IntDistribution", "attributes": about}

    def draw(self, draws: np.random.Generator) -> int:
        """Return a whole number at random, each with the share of the range that rounds to it."""
        return min(max(round(self._between(self.low - 0.5, self.high + 0.5, draws)), self.low), self.high)

    def encode(self, value: object) -> int:
        """Return a value as Optuna holds it."""
        assert _is_number(value)
        return int(value)

    decode = encode

    def __contains__(self, value: object) -> bool:
        return super().__contains__(value) and float(self.encode(value)) == value

    def values(self) -> Iterator[int]:
        """Go through all values."""
        return iter(range(self.low, self.high + 1))

    def to_dict(self) -> Json:
        """The entry as JSON."""
        return {"int": [self.low, self.high], "log": self.log}


Parameter: TypeAlias = Choice | Float | Int
Space: TypeAlias = dict[str, Parameter]


def parameter(name: str, entry: object) -> Parameter:
    """Read one entry: a list is a choice, ``(low, high)`` a range, ``(low, high, "log")`` one in the logarithm.

    Parameters
    ----------
    name : str
        Of the setting, for errors.
    entry : list, tuple, Choice, Float or Int

    Returns
    -------
    Choice, Float or Int

    Raises
    ------
    ConfigError
        For anything else.

    Examples
    --------
    >>> from foretide.tuning.space import parameter
    >>> parameter("hidden", [32, 64])
    Choice(options=(32, 64))
    >>> parameter("lr", (1e-4, 1e-2, "log"))
    Float(low=0.0001, high=0.01, log=True)
    """
    if isinstance(entry, (Choice, Float, Int)):
        return entry
    if isinstance(entry, list):
        return Choice(tuple(tuple(option) if isinstance(option, list) else option for option in entry))
    if isinstance(entry, tuple) and len(entry) in (2, 3) and all(_is_number(end) for end in entry[:2]):
        if entry[2:] not in ((), ("log",)):
            raise ConfigError(f"{name}: the third entry of a range is 'log', got {entry[2]!r}.")
        low, high, log = entry[0], entry[1], len(entry) == 3
        whole = all(hasattr(end, "__index__") for end in (low, high))
        return Int(int(low), int(high), log) if whole else Float(float(low), float(high), log)
    raise ConfigError(
        f"{name}: expected a list of options [64, 128], a range (0.1, 0.5) or (1e-4, 1e-2, 'log'), got {entry!r}."
    )


def grid(space: Mapping[str, Parameter]) -> float:
    """Return how many settings a space holds; infinity where it holds a range of real numbers."""
    return math.prod(entry.size for entry in space.values())


def settings_of(space: Mapping[str, Parameter]) -> Iterator[Settings]:
    """Go through all settings of a finite space."""
    for values in itertools.product(*(entry.values() for entry in space.values())):
        yield dict(zip(space, values, strict=True))


def is_inside(space: Space, settings: Mapping[str, object]) -> bool:
    """Whether settings lie in a space; the defaults of a class may not."""
    return all(name in space and value in space[name] for name, value in settings.items())


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """Return what Optuna samples from; entries of one value need no sampling."""
    return {name: entry.distribution() for name, entry in space.items() if entry.size > 1}


def params_of(space: Space, settings: Mapping[str, object]) -> dict[str, Held]:
    """Return settings as Optuna holds them; nothing where they lie outside the space."""
    if not is_inside(space, settings):
        return {}
    return {name: space[name].encode(value) for name, value in settings.items() if space[name].size > 1}


def key_of(settings: Mapping[str, object]) -> str:
    """Return a text that is equal for equal settings."""
    return _text(dict(settings))


def _text(value: object) -> str:
    return json.dumps(to_json(value), sort_keys=True)


def _is_number(value: object) -> TypeGuard[float]:
    return not isinstance(value, bool) and (isinstance(value, (int, float)) or hasattr(value, "dtype"))

"""Interval levels and quantiles as a person gives them, and the columns they stand in."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable

import numpy as np

from foretide.errors import ConfigError

DEFAULT_LEVELS: tuple[float, ...] = (80.0, 95.0)
"""Levels of those who name none; a distribution that does not hold one of them goes without it."""
DIGITS = 10
"""Quantiles are told apart by so many decimals."""
Floats = tuple[float, ...]
_ONE = "level is in percent, between 0 and 100; got"
PYTHON, YAML, COMMAND = "python", "yaml", "command"
"""Where a person types: in a call, in a configuration, on the command line."""


def interval_levels(levels: object, *, typed: str = PYTHON, name: str = "levels") -> tuple[float, ...]:
    """Read central interval levels in percent.

    Parameters
    ----------
    levels : number, or iterable of numbers
        Such as ``80``, ``(80, 95)`` or an array; each is kept once. None: no intervals.
    typed : {"python", "yaml", "command"}
        Where they come from, so that the error shows what to type there.
    name : str
        Of the argument, for the error.

    Returns
    -------
    tuple of float
        In the order given.

    Raises
    ------
    ConfigError
        For fractions, with the percentages to type; for text, and for what is no percentage between 1 and 100.

    Examples
    --------
    >>> interval_levels(80), interval_levels([80, 95.0, 80])
    ((80.0,), (80.0, 95.0))
    """
    if id(levels) == id(DEFAULT_LEVELS):
        return DEFAULT_LEVELS
    found, clean = _numbers(levels)
    if clean and all(1 < x < 100 and round(0.5 + x / 200, DIGITS) < 1 for x in found):
        return tuple(dict.fromkeys(round(x, DIGITS - 2) for x in found))
    near = [round(100 * x, DIGITS - 2) if 0 < x <= 1 else x for x in found]
    right = [99.0 if x == 100 else x for x in near if 1 < x <= 100]
    said = "A level is a percentage between 0 and 100, got" if name == "levels" else _ONE
    why = ", which looks like a fraction" if any(0 < x <= 1 for x in found) else ""
    example = right or ([80.0, 95.0] if name == "levels" else [95.0])
    raise ConfigError(f"{said} {_given(levels)}{why}. Type {_typed(name, example, typed)}.")


def interval_level(level: object) -> float:
    """Read one central level in percent; as :func:`interval_levels`."""
    if level is not None and np.asarray(level).ndim == 0:
        return interval_levels(level, name="level")[0]
    raise ConfigError(f"{_ONE} {_given(level)}. Type level=95.")


def quantile_levels(quantiles: object, *, typed: str = PYTHON) -> tuple[float, ...]:
    """Read quantiles as fractions; as :func:`interval_levels`, in ascending order.

    Raises
    ------
    ConfigError
        For percentages, with the fractions to type; for text, and for what is no fraction between 0 and 1.

    Examples
    --------
    >>> quantile_levels(0.5), quantile_levels([0.9, 0.1])
    ((0.5,), (0.1, 0.9))
    """
    found, clean = _numbers(quantiles)
    rounded = [round(x, DIGITS) for x in found]
    if clean and all(0 < x < 1 for x in rounded):
        return tuple(sorted(dict.fromkeys(rounded)))
    near = [round(x / 100, DIGITS) if 1 < x < 100 else x for x in rounded]
    right = sorted({x for x in near if 0 < x < 1})
    raise ConfigError(
        f"A quantile is a fraction between 0 and 1, got {_given(quantiles)}. "
        f"Type {_typed('quantiles', right or [0.1, 0.5, 0.9], typed)}."
    )


def levels_held(
    name: str,
    limits: tuple[float, float] | None,
    levels: object,
    quantiles: object,
    *,
    means_only: bool = False,
    trained: bool = True,
) -> tuple[Floats, Floats]:
    """Read levels and quantiles as asked of a distribution that may be known within limits only.

    Such a distribution is not continued by a guess. Default levels that it does not hold are left out; for what was
    asked for a warning says that it will be NaN, and what to type instead; so it does of a model fitted for means only.
    ``trained``: whether its quantiles are a setting, to be trained anew.
    """
    kept, asked = interval_levels(levels), quantile_levels(quantiles)
    if means_only:
        if asked or (kept and levels is not DEFAULT_LEVELS):
            warnings.warn(
                f"{name} has no intervals: it was fitted with intervals=False. Type: model.fit(panel)",
                UserWarning,
                stacklevel=3,
            )
        return (), ()
    if limits is None:
        return kept, asked
    if levels is DEFAULT_LEVELS:
        kept = tuple(level for level in kept if not beyond(limits, bounds_of(level)))
    lacking = beyond(limits, sorted({*asked, *(q for level in kept for q in bounds_of(level))}))
    if lacking:
        _warn_of_tails(name, limits, lacking, trained)
    return kept, asked


def _warn_of_tails(name: str, limits: tuple[float, float], lacking: list[float], trained: bool) -> None:
    widest = round(100 * min(1 - 2 * limits[0], 2 * limits[1] - 1), DIGITS - 2)
    levels = ", ".join(_shown(q) for q in sorted({*limits, 0.5, *lacking}))
    has, instead = "its quantiles go", "let its past errors say: ft.WithIntervals(model)"
    if trained:
        has = "its quantile head was trained for quantiles"
        instead = f"train it with head={{'name': 'quantile', 'levels': [{levels}]}}"
    warnings.warn(
        f"{name}: {has} from {_shown(limits[0])} to {_shown(limits[1])}, so {', '.join(_shown(q) for q in lacking)} is "
        f"NaN. Ask within them, levels={_shown(widest)} at most, or {instead}.",
        UserWarning,
        stacklevel=4,
    )


def beyond(limits: tuple[float, float], quantiles: Iterable[float]) -> list[float]:
    """Return the quantiles outside of limits."""
    return [q for q in quantiles if not limits[0] - 1e-9 <= q <= limits[1] + 1e-9]


def numbers_in(text: str, *, flag: str, example: str) -> tuple[float, ...]:
    """Read numbers with commas, as a command line has them."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ConfigError(f"{flag}: expected numbers with commas, got {text!r}. Type {flag} {example}.") from None


def bounds_of(level: float) -> tuple[float, float]:
    """Return the quantiles that bound a central interval: ``80`` -> ``(0.1, 0.9)``."""
    return round(0.5 - level / 200, DIGITS), round(0.5 + level / 200, DIGITS)


def quantiles_of_levels(levels: object) -> tuple[float, ...]:
    """Return the sorted quantiles that bound central intervals: ``(80,)`` -> ``(0.1, 0.9)``."""
    return tuple(sorted({bound for level in interval_levels(levels) for bound in bounds_of(level)}))


def all_quantiles(levels: object, quantiles: object = ()) -> tuple[float, ...]:
    """Return the sorted quantiles of central levels and further ones, each once."""
    return tuple(sorted({*quantiles_of_levels(levels), *quantile_levels(quantiles)}))


def interval_columns(model: str, level: float) -> tuple[str, str]:
    """Return the columns of an interval: ``<Model>-lo-80``, ``<Model>-hi-80``."""
    return f"{model}-lo-{_shown(level)}", f"{model}-hi-{_shown(level)}"


def quantile_column(model: str, quantile: float) -> str:
    """Return the column of a quantile: ``<Model>-ql0.1``."""
    return f"{model}-ql{_shown(quantile)}"


def _numbers(given: object) -> tuple[list[float], bool]:
    """Return the finite numbers among what was given, and whether there was nothing else."""
    if given is None:
        return [], True
    if isinstance(given, str):
        return _in_text(given), False
    given = np.atleast_1d(given) if isinstance(given, np.ndarray) else given
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        items: list[object] = [given]
    else:
        items = sorted(given, key=str) if isinstance(given, (set, frozenset)) else list(given)
    found: list[float] = []
    clean = not isinstance(given, dict)
    for item in items:
        if isinstance(item, (str, bytes)):
            found, clean = [*found, *_in_text(str(item))], False
            continue
        try:
            # A float32 of 0.1 is meant as 0.1, which its text says.
            value = float(str(item) if isinstance(item, np.floating) else item)  # type: ignore[arg-type]  # else refused
        except (TypeError, ValueError, OverflowError):
            clean = False
            continue
        clean &= math.isfinite(value) and not isinstance(item, (bool, np.bool_))
        found += [value] if math.isfinite(value) else []
    return found, clean


def _in_text(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"\d+(?:\.\d+)?", text)]


def _typed(name: str, values: list[float], where: str) -> str:
    shown = [_shown(x) for x in dict.fromkeys(values)]
    if where == COMMAND:
        return f"--{name} {','.join(shown)}"
    if where == YAML:
        return f"{name}: [{', '.join(shown)}]"
    return f"{name}={shown[0]}" if len(shown) == 1 else f"{name}=({', '.join(shown)})"


def _given(value: object) -> str:
    return repr(value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value)


def _shown(value: float) -> str:
    return f"{value:.{DIGITS}g}"

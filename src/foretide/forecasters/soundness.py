"""Whether a saved forecaster holds what one can: numbers, types and shapes, and a forecast from what it remembers."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.errors import ArtifactError, ConfigError, ForetideError, MissingExtraError
from foretide.forecasters.gaussian import require
from foretide.forecasters.remembered import REHEARSED, rehearsal

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Array, Json

GAPS = re.compile(r"(^|/)history/values$|(^|[/.])(sd|errors|train|known|later|truth|y)$")
"""Arrays in which NaN means that there is no value."""
BOUNDS = re.compile(r"(^|[/.])guard\.upper$")
"""Arrays in which infinity means that there is no bound."""
MOST = 1e200
"""Numbers beyond are nobody's: those of tables end at 1e100, and their squares are kept at times."""
WHOLE = 10**7
"""Settings and facts that are whole numbers end here, but for seeds and times."""
UNBOUND = ("seed", "start", "freq", "until")
LEVELS = (0.1, 0.5, 0.9)
DEVICE = re.compile(r"auto|cpu|(cuda|mps|xpu)(:\d+)?")


@contextmanager
def as_artifact_error(place: str) -> Iterator[None]:
    """Turn whatever fails while a file is made a forecaster, or while that forecasts, into one line that names it.

    Parameters
    ----------
    place : str
        The file or folder.

    Returns
    -------
    context manager

    Raises
    ------
    ArtifactError
        From any other error, but for that of a package that is not installed.
    """
    try:
        yield
    except ArtifactError as error:
        if place in str(error):
            raise
        raise ArtifactError(f"{place}: {error}") from error
    except (MissingExtraError, Warning):
        raise
    except Exception as error:
        raise _damaged(place, error) from error


@contextmanager
def while_forecasting(place: str) -> Iterator[None]:
    """As :func:`as_artifact_error`, but for errors on purpose, which are about the table at hand."""
    try:
        yield
    except (ForetideError, Warning, MemoryError):
        raise
    except Exception as error:
        raise _damaged(place, error) from error


def _damaged(place: str, error: Exception) -> ArtifactError:
    said = " ".join(str(error).split())[:200]
    return ArtifactError(
        f"{place} holds what no saved forecaster does ({type(error).__name__}: {said}). It was damaged or edited, or "
        "written by another foretide. Save the forecaster again."
    )


def check_arrays(arrays: Mapping[str, Array], path: Path) -> None:
    """Refuse numbers that are not finite where they must be, and those too large for any forecast.

    Parameters
    ----------
    arrays : mapping
    path : Path
        Their file.

    Raises
    ------
    ArtifactError
    """
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not array.size:
            continue
        low, high = float(np.fmin.reduce(array, axis=None)), float(np.fmax.reduce(array, axis=None))
        if np.isnan(low) and GAPS.search(name):
            continue
        if not (low >= -MOST and high <= MOST) and not BOUNDS.search(name):
            raise ArtifactError(f"{path}: {name!r} holds {low:g} to {high:g}, expected numbers within {MOST:g}.")
        if not GAPS.search(name) and np.isnan(array).any():
            raise ArtifactError(f"{path}: {name!r} holds NaN, expected finite numbers.")


def check_whole(value: object, path: Path, name: str = "") -> None:
    """Refuse whole numbers that are no number of anything.

    Parameters
    ----------
    value : object
        JSON.
    path : Path
        Its file.
    name : str
        What the value is called there.

    Raises
    ------
    ArtifactError
    """
    if type(value) is int and abs(value) > WHOLE and name not in UNBOUND:
        raise ArtifactError(f"{path}: {name} is {value:,}, expected at most {WHOLE:,}.")
    if isinstance(value, dict):
        for key, one in value.items():
            check_whole(one, path, key if key[:2] != "__" else name)
    elif isinstance(value, list):
        for one in value:
            check_whole(one, path, name)


def check_same(read: tuple[Json, Mapping[str, Array]], made: tuple[Json, Mapping[str, Array]], *paths: Path) -> None:
    """Refuse files that a forecaster made of them would not write again: surplus entries, other types and shapes.

    Parameters
    ----------
    read, made : tuples of a JSON value and arrays
        What the files hold, and what the forecaster would write.
    *paths : Path
        The file of the first, and that of the second.

    Raises
    ------
    ArtifactError
    """
    if (other := _difference(read[0], made[0])) is not None:
        raise ArtifactError(f"{paths[0]}: {other}")
    for name, array in read[1].items():
        own = made[1].get(name)
        if own is None:
            raise ArtifactError(f"{paths[1]} holds an array {name!r}, of which this forecaster has no use.")
        if (own.shape, own.dtype) != (array.shape, array.dtype):
            raise ArtifactError(
                f"{paths[1]}: {name!r} is {array.dtype} {list(array.shape)}, expected {own.dtype} {list(own.shape)}."
            )


def _difference(read: object, made: object, place: str = "") -> str | None:
    """Say where what was read is not made again; what was left out and has a default is no difference."""
    if isinstance(read, dict) and isinstance(made, dict):
        surplus = [key for key in read if key not in made]
        if surplus:
            return f"{_named(place, surplus[0])} is of no use to this forecaster."
        both = ((_named(place, key), one, made[key]) for key, one in read.items())
    elif isinstance(read, list) and isinstance(made, list) and len(read) == len(made):
        both = ((f"{place}[{k}]", *pair) for k, pair in enumerate(zip(read, made, strict=True)))
    elif type(read) is type(made) and not isinstance(read, (list, dict)):
        return None  # another value is another model, or was read as what it means
    else:
        return f"{place} is {_short(read)}, expected {_short(made)}."
    return next((found for name, one, other in both if (found := _difference(one, other, name)) is not None), None)


def _named(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_forecast(forecaster: Forecaster, parts: Sequence[Forecaster]) -> None:
    """Let a forecaster that was loaded forecast from the rows it remembers, of a few series, or one where it is slow.

    Parameters
    ----------
    forecaster : Forecaster
    parts : sequence of Forecaster
        It, and all those inside.

    Raises
    ------
    ArtifactError
        Where the forecast has another shape, or is not finite.
    """
    fitted = forecaster._fitted
    assert fitted is not None
    slow = any(part.one_by_one for part in parts)
    if not slow:
        forecaster.choices()
    errors = None if fitted.intervals is None else fitted.intervals.errors
    dependence = fitted.joint
    for what, kept in (
        ("errors", None if errors is None else errors.group),
        ("dependence", None if dependence is None else dependence.own),
    ):
        if kept is not None and len(kept) < forecaster.h:
            raise ArtifactError(f"it forecasts {forecaster.h:,} steps, and its {what} are of {len(kept):,}.")
    if fitted.history is None:
        return
    panel, windows = rehearsal(
        fitted.seen_layout, fitted.history, forecaster.h, forecaster.min_history, 1 if slow else REHEARSED
    )
    held = forecaster.quantile_range or (0.0, 1.0)
    levels = tuple(q for q in LEVELS if held[0] <= q <= held[1]) if forecaster.answers_levels else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = forecaster._answer(panel, windows, levels, ())
    shape = (len(windows), forecaster.h, panel.n_targets)
    known = np.stack([~np.isnan(panel.rows(i)[:, : shape[2]]).all(axis=0) for i in range(panel.n_entities)])
    for what, values, wanted in (("mean", got.mean, shape), ("quantiles", got.quantiles, (*shape, len(levels)))):
        if values is None:
            if what == "mean" or levels:
                raise ArtifactError(f"its forecast has no {what}.")
            continue
        if values.shape != wanted:
            raise ArtifactError(f"its forecast has {what} of shape {values.shape}, expected {wanted}.")
        if not np.isfinite(np.moveaxis(values, 2, 1)[known]).all():
            raise ArtifactError(f"the {what} of its forecast are not finite.")


def check_device(device: str) -> None:
    """Refuse a device that is not there; where PyTorch is not, only the CPU is.

    Parameters
    ----------
    device : str

    Raises
    ------
    ConfigError
    """
    if device not in ("auto", "cpu"):
        require("torch", f"device={device!r}")
        from foretide.training.placing import pick_device

        pick_device(device)


def on_device(facts: Any, device: str | None) -> Any:
    """Return settings or facts with the device of every network in them replaced.

    Parameters
    ----------
    facts : object
        As of JSON.
    device : str or None
        None: where it was, or "auto" where there is no such device.

    Returns
    -------
    object

    """
    if isinstance(facts, dict):
        return {
            name: _device(value, device) if name == "device" and _is_device(value) else on_device(value, device)
            for name, value in facts.items()
        }
    if isinstance(facts, (list, tuple)):
        inside = [on_device(one, device) for one in facts]
        return inside if isinstance(facts, list) else tuple(inside)
    return facts


def _is_device(value: object) -> bool:
    return isinstance(value, str) and DEVICE.fullmatch(value) is not None


def _device(saved: str, wanted: str | None) -> str:
    if wanted is not None:
        return wanted
    try:
        check_device(saved)
    except ConfigError:
        return "auto"
    return saved

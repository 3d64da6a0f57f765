"""Saving and loading forecasters: JSON and safetensors, no pickle.

A saved forecaster is a folder of three files:

- ``settings.json``: the name of the class, its settings, what it learned that is no array, and the panel's columns;
- ``state.safetensors``: the arrays it learned;
- ``manifest.json``: the SHA-256 of the two others, and the versions that wrote them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.asides import asides_of, drop, put_back, set_aside
from foretide.data.files import PART, flush_to_disk, storing
from foretide.errors import ArtifactError, NotFittedError, StorageError, nearest
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.gaussian import distribution_of
from foretide.forecasters.table import EVERY, forecaster_class, registered

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Json

FORMAT = 2
KEPT = "history/"
"""Before the names of the arrays that hold the rows seen at fit."""
DECISIVE = ("torch", "statsmodels", "statsforecast", "lightgbm", "sklearn", "fracast", "chronos", "neuralforecast")
"""Packages that decide what a forecaster computes, where they were imported."""
SETTINGS, STATE, MANIFEST = "settings.json", "state.safetensors", "manifest.json"


def _all_parts(forecaster: Forecaster) -> Iterator[Forecaster]:
    """Go through a forecaster and all those inside it."""
    yield forecaster
    for part in forecaster.parts:
        yield from _all_parts(part)


def save(forecaster: Forecaster, folder: str | os.PathLike[str]) -> None:
    """Write a fitted forecaster to a folder.

    The folder appears whole or not at all: it is written beside its place and renamed. A forecaster saved
    there before is replaced; any other folder that is not empty is refused with an :class:`ArtifactError`.
    """
    from safetensors.numpy import save as to_bytes

    fitted, kind = forecaster._fitted, type(forecaster).__name__
    if fitted is None:
        raise NotFittedError(f"{forecaster.name} is not fitted, so there is nothing to save. Type: model.fit(panel)")
    for part in _all_parts(forecaster):
        if registered(type(part)) is None:
            own = type(part).__name__
            raise ArtifactError(
                f"A forecaster of class {own!r} cannot be saved. {nearest(own, EVERY)} "
                f"{type(part).__module__}.{own} is not in foretide's table."
            )
    target = Path(os.path.abspath(folder))
    with storing(target, "Nothing was changed.", deed="save a forecaster in"):
        if not os.path.lexists(target) and (former := _left_aside(target)) is not None:
            put_back(former, target)  # a process was killed while it replaced that one
        _refuse_foreign(target)
    # safetensors writes the buffer of an array as it lies in memory, so each must be contiguous.
    kept = {f"{KEPT}{name}": value for name, value in fitted.arrays().items()}
    arrays = {name: np.array(value, order="C") for name, value in {**forecaster.state(), **kept}.items()}
    described = {
        "format": FORMAT,
        "forecaster": kind,
        "settings": forecaster.settings(),
        "facts": forecaster.facts(),
        "panel": fitted.facts(),
    }
    files = {
        SETTINGS: json.dumps(to_json(described), indent=1, ensure_ascii=False, allow_nan=False).encode(),
        STATE: to_bytes(arrays),
    }
    manifest = {
        "format": FORMAT,
        "forecaster": kind,
        "name": forecaster.name,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "versions": versions(),
    }
    files[MANIFEST] = json.dumps(manifest, indent=1).encode()
    with storing(target, "A forecaster that was saved there before is kept.", deed="save a forecaster in"):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=PART, dir=target.parent))
        try:
            for name, content in files.items():
                (fresh / name).write_bytes(content)
                flush_to_disk(fresh / name)
            fresh.chmod(0o755)
            _put_in_place(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def load(folder: str | os.PathLike[str]) -> Forecaster:
    """Read a forecaster that :func:`save` wrote; it predicts as the one that was saved.

    Parameters
    ----------
    folder : path
        Made by ``model.save(folder)``.

    Returns
    -------
    Forecaster

    Raises
    ------
    ArtifactError
        When a file is missing, was changed since, or was written by a later version of the format.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import foretide as ft
    >>> panel, folder = ft.synthetic.hourly(T=240, seed=1).panel, mkdtemp()
    >>> ft.SeasonalNaive(h=24, season=24).fit(panel).save(folder)
    >>> ft.load(folder)
    SeasonalNaive(h=24, season=24)
    """
    from safetensors.numpy import load as from_bytes

    files = _read_checked(Path(folder))
    described = from_json(json.loads(files[SETTINGS]))
    kind = described["forecaster"]
    if kind not in EVERY:
        raise ArtifactError(f"{folder} holds a forecaster {kind!r}, unknown here. {nearest(kind, EVERY)}")
    forecaster = forecaster_class(kind)(**described["settings"])
    arrays = from_bytes(files[STATE])
    kept = {name.removeprefix(KEPT): arrays.pop(name) for name in list(arrays) if name.startswith(KEPT)}
    forecaster.restore(arrays, described["facts"])
    forecaster._fitted = Fitted.restore(described["panel"], kept)
    return forecaster


def manifest(folder: str | os.PathLike[str]) -> Json:
    """Return the manifest of a saved forecaster: its files with their SHA-256, and the versions that wrote it."""
    path = Path(folder) / MANIFEST
    try:
        with storing(path, deed="read"):
            found = json.loads(path.read_bytes())
    except StorageError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        raise ArtifactError(f"{folder} is not a saved forecaster: it holds no {MANIFEST}.") from None
    except ValueError as error:
        raise ArtifactError(f"{path} cannot be read ({error}). Save the forecaster again.") from error
    if not isinstance(found, dict) or not {"format", "forecaster", "files"} <= found.keys():
        raise ArtifactError(f"{path} is not the manifest of a saved forecaster.")
    return found


def versions() -> dict[str, str]:
    """Return the versions that decide what a forecaster computes."""
    found = {"python": platform.python_version()}
    for module in ("foretide", "numpy", *DECISIVE):
        if module in DECISIVE and module not in sys.modules:
            continue
        package = distribution_of(module)
        found[package] = _version(package)
    return found


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source tree"


def to_json(value: object) -> object:
    """Return a value in JSON's own types; tuples and non-finite numbers are marked, so that they come back."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"__float__": repr(value)}
    if isinstance(value, tuple):
        return {"__tuple__": [to_json(item) for item in value]}
    if isinstance(value, (list, np.ndarray)):
        return [to_json(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: to_json(item) for key, item in value.items()}
    raise ArtifactError(
        f"A setting of type {type(value).__name__} ({value!r}) cannot be written as JSON. "
        "Use numbers, texts, lists, tuples and dictionaries with text keys."
    )


def from_json(value: Any) -> Any:
    """Undo :func:`to_json`."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"__tuple__"}:
            return tuple(from_json(item) for item in value["__tuple__"])
        if value.keys() == {"__float__"}:
            return float(value["__float__"])
        return {key: from_json(item) for key, item in value.items()}
    return value


def _read_checked(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        former = _left_aside(Path(os.path.abspath(folder)))
        if former is not None:
            raise ArtifactError(
                f"{folder} was being replaced when the process was killed. The forecaster before is whole: "
                f"ft.load({str(former)!r})"
            )
        raise ArtifactError(f"There is no folder {folder}. Save a forecaster there first: model.save({str(folder)!r})")
    listed = manifest(folder)
    if listed["format"] < FORMAT:
        raise ArtifactError(
            f"{folder} was written in format {listed['format']}, before forecasters kept the origin of their seasons. "
            "Fit again, and save anew."
        )
    if listed["format"] > FORMAT:
        raise ArtifactError(
            f"{folder} was written in format {listed['format']}; this foretide reads up to {FORMAT}. Upgrade foretide."
        )
    files = {}
    for name in (SETTINGS, STATE):
        try:
            with storing(folder / name, deed="read"):
                files[name] = (folder / name).read_bytes()
        except StorageError as error:
            if error.errno != errno.ENOENT:
                raise
            raise ArtifactError(f"{folder} lacks its file {name}. Save the forecaster again.") from None
        if hashlib.sha256(files[name]).hexdigest() != listed["files"].get(name):
            raise ArtifactError(f"{folder / name} was changed since it was saved (SHA-256 differs). Save it again.")
    return files


def _left_aside(target: Path) -> Path | None:
    """Return the saved forecaster that a killed process had set aside, the latest."""
    return next((content for content in asides_of(target) if (content / MANIFEST).is_file()), None)


def _refuse_foreign(target: Path) -> None:
    """Never replace what is not a saved forecaster."""
    if not target.exists():
        return
    if target.is_dir():
        if not any(target.iterdir()):
            return
        try:
            manifest(target)
        except ArtifactError:
            pass
        else:
            if {entry.name for entry in target.iterdir()} <= {SETTINGS, STATE, MANIFEST}:
                return
    raise ArtifactError(f"{target} exists and is not just a saved forecaster; it is left alone. Choose another folder.")


def _put_in_place(fresh: Path, target: Path) -> None:
    """Rename a written folder to its place; an older one is set aside first and comes back on failure."""
    former = set_aside(target) if os.path.lexists(target) else None
    try:
        fresh.rename(target)
    except OSError:
        if former is not None:
            put_back(former, target)
        raise
    for content in asides_of(target):
        drop(content)

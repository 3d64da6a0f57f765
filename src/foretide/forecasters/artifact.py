"""Saving and loading forecasters: JSON and safetensors, no pickle.

A saved forecaster is a folder of three files, four with a key:

- ``settings.json``: the name of the class, its settings, what it learned that is no array, and the panel's columns;
- ``state.safetensors``: the arrays it learned;
- ``manifest.json``: the SHA-256 of the two others, and the versions that wrote them;
- ``manifest.hmac``: the manifest signed with a key, where one was given.

Equal fits write equal files: nothing in them depends on the clock, the folder or what else the process does.
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
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.asides import asides_of, drop, put_back, set_aside
from foretide.data.files import PART, flush_folder, flush_to_disk, storing
from foretide.data.strict import MOST_TEXT, check_file, read_bytes, read_json
from foretide.data.tensors import load_tensors, tensors_length, write_tensors
from foretide.errors import ArtifactError, NotFittedError, StorageError, nearest
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.formats import FORMAT, check_format, converted
from foretide.forecasters.gaussian import distribution_of
from foretide.forecasters.signature import SIGNATURE, check_signature, secret_of, signature
from foretide.forecasters.soundness import (
    as_artifact_error,
    check_arrays,
    check_device,
    check_forecast,
    check_same,
    check_whole,
    on_device,
)
from foretide.forecasters.table import EVERY, forecaster_class, registered

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Array, Json

KEPT = "history/"
"""Before the names of the arrays that hold the rows seen at fit."""
DECISIVE = ("torch", "statsmodels", "statsforecast", "lightgbm", "sklearn", "fracast", "chronos", "neuralforecast")
"""Packages that decide what a forecaster computes, where they were imported."""
SETTINGS, STATE, MANIFEST = "settings.json", "state.safetensors", "manifest.json"
MOST_MANIFEST = 1 << 20
MEASURED = "seconds"
"""Facts of this name come from a clock: they are not kept, for equal fits write equal files."""


def _all_parts(forecaster: Forecaster) -> Iterator[Forecaster]:
    """Go through a forecaster and all those inside it."""
    yield forecaster
    for part in forecaster.parts:
        yield from _all_parts(part)


def save(forecaster: Forecaster, folder: str | os.PathLike[str], *, key: str | bytes | None = None) -> None:
    """Write a fitted forecaster to a folder.

    The folder appears whole or not at all: it is written beside its place and renamed. A forecaster saved
    there before is replaced; any other folder that is not empty is refused with an :class:`ArtifactError`.
    """
    if forecaster._fitted is None:
        raise NotFittedError(f"{forecaster.name} is not fitted, so there is nothing to save. Type: model.fit(panel)")
    for part in _all_parts(forecaster):
        if registered(type(part)) is None:
            own = type(part).__name__
            raise ArtifactError(
                f"A forecaster of class {own!r} cannot be saved. {nearest(own, EVERY)} "
                f"{type(part).__module__}.{own} is not in foretide's table."
            )
    secret = secret_of(key)
    target = Path(os.path.abspath(folder))
    with storing(target, "Nothing was changed.", deed="save a forecaster in"):
        if not os.path.lexists(target) and (former := _left_aside(target)) is not None:
            put_back(former, target)  # a process was killed while it replaced that one
        _refuse_foreign(target)
    described, arrays = _described(forecaster)
    settings = json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False).encode()
    read_json(settings, target / SETTINGS)  # what could not be read again is not written
    with storing(target, "A forecaster that was saved there before is kept.", deed="save a forecaster in"):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=PART, dir=target.parent))
        try:
            digests = {SETTINGS: hashlib.sha256(settings).hexdigest(), STATE: write_tensors(fresh / STATE, arrays)}
            files = {SETTINGS: settings, MANIFEST: _manifest_of(forecaster, digests)}
            if secret is not None:
                files[SIGNATURE] = signature(secret, files[MANIFEST])
            for name, content in files.items():
                (fresh / name).write_bytes(content)
            for name in (*files, STATE):
                flush_to_disk(fresh / name)
            fresh.chmod(0o755)
            _put_in_place(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _manifest_of(forecaster: Forecaster, digests: dict[str, str]) -> bytes:
    """Return the content of the manifest."""
    packages = {part.needs for part in _all_parts(forecaster) if part.needs is not None}
    manifest = {
        "format": FORMAT,
        "forecaster": type(forecaster).__name__,
        "name": forecaster.name,
        "files": digests,
        "versions": versions([name for name in DECISIVE if name in packages]),
    }
    return json.dumps(manifest, indent=1).encode()


def _described(forecaster: Forecaster) -> tuple[Json, dict[str, Array]]:
    """Return a forecaster as JSON and as arrays."""
    fitted = forecaster._fitted
    assert fitted is not None
    kept = {f"{KEPT}{name}": value for name, value in fitted.arrays().items()}
    arrays = {name: np.asarray(value) for name, value in {**forecaster.state(), **kept}.items()}
    described = to_json({
        "format": FORMAT,
        "forecaster": type(forecaster).__name__,
        "settings": forecaster.settings(),
        "facts": without_times(forecaster.facts()),
        "panel": fitted.facts(),
    })  # fmt: skip
    assert isinstance(described, dict)
    return described, arrays


def without_times(facts: Any) -> Any:
    """Return facts without what a clock said."""
    if isinstance(facts, dict):
        return {
            name: math.nan if name == MEASURED and isinstance(value, float) else without_times(value)
            for name, value in facts.items()
        }
    if isinstance(facts, list):
        return [without_times(one) for one in facts]
    return facts


def load(folder: str | os.PathLike[str], *, device: str | None = None, key: str | bytes | None = None) -> Forecaster:
    """Read a forecaster that :func:`save` wrote; it predicts as the one that was saved.

    Everything in the files is checked: sizes, types and shapes against each other and against the settings, numbers
    for being finite, and whether the model forecasts from the rows that it remembers.

    Parameters
    ----------
    folder : path
        Made by ``model.save(folder)``.
    device : str, optional
        Where networks compute: "cpu", "cuda", "cuda:1" …. By default where they were to compute when they were
        fitted, or on the CPU where there is no such device.
    key : str or bytes, optional
        The key that it was signed with; the environment variable ``FORETIDE_KEY`` by default. Without either, a
        signature is not looked at.

    Returns
    -------
    Forecaster

    Raises
    ------
    ArtifactError
        When a file is missing, was changed since, holds what no saved forecaster does, was written by a later version
        of the format, or is not signed with the key.
    ConfigError
        For a device that is not there.
    MissingExtraError
        When it needs a package that is not installed.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import foretide as ft
    >>> panel, folder = ft.synthetic.hourly(T=240, seed=1).panel, mkdtemp()
    >>> ft.SeasonalNaive(h=24, season=24).fit(panel).save(folder)
    >>> ft.load(folder)
    SeasonalNaive(h=24, season=24)
    """
    return _made(Path(folder), device, key)


def _made(place: Path, device: str | None, key: str | bytes | None) -> Forecaster:
    """Read, make, compare and try a forecaster."""
    if device is not None:
        check_device(device)
    (kind, number), content, arrays = _read_checked(place, secret_of(key))
    described = read_json(content, place / SETTINGS)
    check_arrays(arrays, place / STATE)
    if not isinstance(described, dict) or described.keys() != {"format", "forecaster", "settings", "facts", "panel"}:
        raise ArtifactError(f"{place / SETTINGS} does not describe a saved forecaster. Save it again.")
    if (described["forecaster"], described["format"]) != (kind, number):
        raise ArtifactError(f"{place / SETTINGS} describes another forecaster than {place / MANIFEST}, a {kind}.")
    check_whole(described, place / SETTINGS)
    with as_artifact_error(str(place / SETTINGS)):
        described, arrays = converted(described, arrays)
    if (kind := described["forecaster"]) not in EVERY:
        raise ArtifactError(f"{place} holds a forecaster {kind!r}, unknown here. {nearest(kind, EVERY)}")
    with as_artifact_error(str(place / SETTINGS)):
        told = from_json(described)
        settings, facts = on_device(told["settings"], device), on_device(told["facts"], device)
        forecaster = forecaster_class(kind)(**settings)
    with as_artifact_error(str(place)):
        own = {name: array for name, array in arrays.items() if not name.startswith(KEPT)}
        kept = {name.removeprefix(KEPT): array for name, array in arrays.items() if name.startswith(KEPT)}
        forecaster.restore(own, facts)
        forecaster._fitted = Fitted.restore(told["panel"], kept)
        as_read = {**described, "settings": to_json(settings), "facts": to_json(without_times(facts))}
        check_same((as_read, arrays), _described(forecaster), place / SETTINGS, place / STATE)
        check_forecast(forecaster, list(_all_parts(forecaster)))
    forecaster._loaded = str(place)
    return forecaster


def manifest(folder: str | os.PathLike[str]) -> Json:
    """Return the manifest of a saved forecaster: its files with their SHA-256, and the versions that wrote it."""
    return _manifest(Path(folder))[0]


def _manifest(folder: Path) -> tuple[Json, bytes]:
    """Return the manifest, and the bytes that a signature is of."""
    path = folder / MANIFEST
    try:
        content = read_bytes(path, MOST_MANIFEST)
    except StorageError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        raise ArtifactError(f"{folder} is not a saved forecaster: it holds no {MANIFEST}.") from None
    found = read_json(content, path)
    texts, keys = ("forecaster", "name"), {"format", "forecaster", "files"}
    if not isinstance(found, dict) or not keys <= found.keys() <= {*keys, "name", "versions"}:
        raise ArtifactError(f"{path} is not the manifest of a saved forecaster.")
    sound = type(found["format"]) is int and all(isinstance(found.get(name, ""), str) for name in texts)
    for name in ("files", "versions"):
        own = found.get(name, {})
        sound = sound and isinstance(own, dict) and all(isinstance(one, str) for one in own.values())
    if not sound:
        raise ArtifactError(f"{path} is not the manifest of a saved forecaster: a value is of another type.")
    return found, content


def versions(packages: Iterable[str] | None = None) -> dict[str, str]:
    """Return the versions that decide what a forecaster computes.

    Parameters
    ----------
    packages : iterable of str, optional
        Those of :data:`DECISIVE` that do, as they are imported; by default those that were.

    Returns
    -------
    dict
        Name of a package -> version.
    """
    found = {"python": platform.python_version()}
    chosen = [name for name in DECISIVE if name in sys.modules] if packages is None else packages
    for module in ("foretide", "numpy", *chosen):
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


def _read_checked(folder: Path, secret: bytes | None) -> tuple[tuple[str, int], bytes, dict[str, Array]]:
    """Return the class of a saved forecaster with its format, its settings and its arrays, as the manifest says."""
    if not folder.is_dir():
        former = _left_aside(Path(os.path.abspath(folder)))
        if former is not None:
            raise ArtifactError(
                f"{folder} was being replaced when the process was killed. The forecaster before is whole: "
                f"ft.load({str(former)!r})"
            )
        raise ArtifactError(f"There is no folder {folder}. Save a forecaster there first: model.save({str(folder)!r})")
    listed, content = _manifest(folder)
    if secret is not None:
        check_signature(folder, secret, content)
    check_format(listed["format"], folder)
    lacking = next((name for name in (SETTINGS, STATE) if not (folder / name).exists()), None)
    if lacking is not None:
        raise ArtifactError(f"{folder} lacks its file {lacking}. Save the forecaster again.")
    settings = read_bytes(folder / SETTINGS, MOST_TEXT)
    if hashlib.sha256(settings).hexdigest() != listed["files"].get(SETTINGS):
        raise _changed(folder / SETTINGS)
    check_file(folder / STATE, _length(folder / STATE))
    arrays = load_tensors(folder / STATE, listed["files"].get(STATE))
    if arrays is None:
        raise _changed(folder / STATE)
    return (listed["forecaster"], listed["format"]), settings, arrays


def _changed(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} was changed since it was saved (SHA-256 differs). Save it again.")


def _length(path: Path) -> int:
    """Return the bytes that a file of arrays has by its header, or those of a small one, which says what is wrong."""
    try:
        return tensors_length(path)
    except ArtifactError:
        if path.is_file() and path.stat().st_size <= MOST_TEXT:
            return MOST_TEXT
        raise


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
            if {entry.name for entry in target.iterdir()} <= {SETTINGS, STATE, MANIFEST, SIGNATURE}:
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
    flush_folder(target.parent)
    for content in asides_of(target):
        drop(content)

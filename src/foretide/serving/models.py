"""The models that are served: found in folders, loaded whole, and swapped while requests are answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.errors import ArtifactError, ConfigError, nearest
from foretide.forecasters.artifact import MANIFEST, load, manifest
from foretide.serving.limits import RequestError

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster

    Loader = Callable[[Path], Forecaster]

RUN = "models"
"""Folder of the models inside the folder of a run."""
FIRST = "1"
"""Version of a model that names none."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Place:
    """Where a model lies, and what it is called.

    Attributes
    ----------
    name, version : str
    folder : Path
    """

    name: str
    version: str
    folder: Path


@dataclass(frozen=True, eq=False)
class Served:
    """A model in memory.

    Attributes
    ----------
    name, version : str
    model : Forecaster
    content : bytes
        Of its manifest: whether the folder holds another model now.
    """

    name: str
    version: str
    model: Forecaster
    content: bytes

    @cached_property
    def layout(self) -> Panel:
        """What its tables look like."""
        layout = self.model.layout
        assert layout is not None
        return layout

    @cached_property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """Categories of the columns of text."""
        fitted = self.model._fitted
        assert fitted is not None
        return {name: own for name, own in {**fitted.indicators.columns, **fitted.indicators.static}.items() if own}


def places_of(words: Iterable[str]) -> tuple[Place, ...]:
    """Return the models that a command line names.

    Parameters
    ----------
    words : iterable of str
        ``FOLDER``, ``NAME=FOLDER`` or ``NAME@VERSION=FOLDER``. A folder is that of a saved model, or of a run; or it
        holds a folder for each version of a model, named so, or one for each model with its versions inside.

    Returns
    -------
    tuple of Place

    Raises
    ------
    ConfigError
        For a name or a version that cannot be part of an address, and for two models of one name and version.
    ArtifactError
        For a folder without a model.
    """
    found: dict[tuple[str, str], Place] = {}
    for word in words:
        for place in _places(word):
            for what, text in (("name", place.name), ("version", place.version)):
                if not _NAME.fullmatch(text):
                    raise ConfigError(
                        f"The {what} of a served model has letters, digits, - _ and . only, got {text!r}. "
                        f"Type NAME=FOLDER, or NAME@VERSION=FOLDER, such as sales@2={place.folder}"
                    )
            if (other := found.get((place.name, place.version))) is not None:
                raise ConfigError(
                    f"{other.folder} and {place.folder} are both {place.name!r}, version {place.version}. "
                    f"Type another name or version: {place.name}@2={place.folder}"
                )
            found[place.name, place.version] = place
    if not found:
        raise ConfigError("Name a model to serve: foretide serve FOLDER")
    return tuple(found.values())


def _places(word: str) -> Iterator[Place]:
    named, _, rest = word.partition("=")
    # A path may hold "=", and then a name has to stand before it.
    title, folder = (named, Path(rest)) if rest and "/" not in named and "\\" not in named else ("", Path(word))
    name, _, version = title.partition("@")
    if (folder / MANIFEST).is_file():
        yield Place(name or _own_name(folder), version or FIRST, folder)
    elif (folder / RUN).is_dir():
        own = {_own_name(inside): inside for inside in _models_in(folder / RUN)}
        if name and len(own) > 1 and name not in own:
            raise ConfigError(
                f"{folder} holds {', '.join(own)}. Name the folder of one: {word}/{RUN}/{next(iter(own))}"
            )
        for known, inside in own.items():
            if not name or known == name or len(own) == 1:
                yield Place(name or known, version or FIRST, inside)
    else:
        yield from _store(folder, name)


def _store(folder: Path, name: str) -> Iterator[Place]:
    """Return what lies in ``folder/VERSION``, or in ``folder/NAME/VERSION`` and ``folder/NAME``."""
    versions = _models_in(folder)
    below = [inside for inside in _folders_in(folder) if _models_in(inside)]
    if not versions and not below:
        raise ArtifactError(f"{folder} holds no saved model. Expected a folder made by model.save or `foretide fit`.")
    for inside in versions:
        own = (name or folder.resolve().name, inside.name) if name or inside.name.isdigit() else (inside.name, FIRST)
        yield Place(*own, inside)
    for model in below:
        yield from (Place(model.name, inside.name, inside) for inside in _models_in(model))


def _folders_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [inside for inside in sorted(folder.iterdir()) if inside.is_dir() and not inside.name.startswith(".")]


def _models_in(folder: Path) -> list[Path]:
    return [inside for inside in _folders_in(folder) if (inside / MANIFEST).is_file()]


def _own_name(folder: Path) -> str:
    name = str(manifest(folder).get("name", folder.name))
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "model"


def by_age(version: str) -> list[tuple[int, int, str]]:
    """Return a key that puts versions in order: numbers in them count as numbers.

    Parameters
    ----------
    version : str

    Returns
    -------
    list

    Examples
    --------
    >>> from foretide.serving.models import by_age
    >>> sorted(["10", "9", "2024-01", "v2"], key=by_age)
    ['9', '10', '2024-01', 'v2']
    """
    parts = re.findall(r"\d+|\D+", version)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


class Shelf:
    """All models in memory; it is replaced as a whole, so that a request sees one state of it.

    Parameters
    ----------
    words : sequence of str
        As of :func:`places_of`; read again at each reload.
    loader : callable, optional
        Reads a folder; :func:`foretide.load` by default.
    """

    def __init__(self, words: Sequence[str], loader: Loader = load) -> None:
        self.words, self._loader = tuple(words), loader
        self._models: dict[str, dict[str, Served]] = {}
        self.reload()

    def reload(self) -> list[Served]:
        """Read all folders again, and serve what they hold; on an error nothing changes.

        Returns
        -------
        list of Served
            Those that are new or have changed.

        Raises
        ------
        ArtifactError, ConfigError
            Where one cannot be read.
        """
        fresh: dict[str, dict[str, Served]] = {}
        changed = []
        for place in places_of(self.words):
            former = self._models.get(place.name, {}).get(place.version)
            content = _content(place.folder)
            if former is None or former.content != content:
                former = Served(place.name, place.version, self._loader(place.folder), content)
                changed.append(former)
            fresh.setdefault(place.name, {})[place.version] = former
        self._models = {
            name: dict(sorted(own.items(), key=lambda item: by_age(item[0]))) for name, own in fresh.items()
        }
        return changed

    def all(self) -> list[Served]:
        """Return every version of every model.

        Returns
        -------
        list of Served
            The versions of a model from the oldest to the latest.
        """
        return [served for own in self._models.values() for served in own.values()]

    def latest(self, name: str) -> Served:
        """Return the latest version of a model.

        Parameters
        ----------
        name : str

        Returns
        -------
        Served

        Raises
        ------
        RequestError
            For a name that is not there.
        """
        return self.find(name, None)

    def find(self, name: str | None, version: str | None) -> Served:
        """Return the model that a request asks for.

        Parameters
        ----------
        name : str or None
            The only one there is by default.
        version : str or None
            The latest by default.

        Returns
        -------
        Served

        Raises
        ------
        RequestError
            For a name or a version that is not there, and for none where there are several models.
        """
        models = self._models
        if name is None:
            if len(models) > 1:
                raise RequestError(f"model: name one of {', '.join(models)}.", 422, "ConfigError")
            name = next(iter(models))
        if name not in models:
            raise RequestError(f"There is no model {name[:100]!r}. {nearest(name[:100], models)}", 404, "UnknownModel")
        versions = models[name]
        if version is None:
            return list(versions.values())[-1]
        if version not in versions:
            known = nearest(version[:100], versions)
            raise RequestError(f"{name} has no version {version[:100]!r}. {known}", 404, "UnknownModel")
        return versions[version]


def _content(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{folder} lacks its {MANIFEST}. Save the forecaster again.") from error

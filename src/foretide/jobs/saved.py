"""The models of a run folder: where each lies, and under which name."""

from __future__ import annotations

from pathlib import Path

from foretide.data.files import understood
from foretide.errors import ArtifactError, ConfigError, nearest
from foretide.forecasters.artifact import MANIFEST, manifest
from foretide.jobs.folder import RunFolder
from foretide.jobs.store import FACTS

MODELS = "models"


def saved_models(run: Path) -> dict[str, Path]:
    """Return name -> folder of the models that a run saved, by the names they are known by in its tables.

    Parameters
    ----------
    run : path

    Returns
    -------
    dict
    """
    place = run / MODELS
    found: dict[str, Path] = {}
    for folder in sorted(place.iterdir()) if place.is_dir() else []:
        if folder.name.startswith(".") or not (folder / MANIFEST).is_file():
            continue
        name = str(manifest(folder).get("name", folder.name))
        if name in found:
            raise ArtifactError(
                f"{found[name]} and {folder} both hold a model called {name!r}. Move one of them elsewhere."
            )
        found[name] = folder
    return found


def starts_in(run: Path) -> frozenset[str]:
    """Return the models of a run folder that are closed-form starts of others.

    Parameters
    ----------
    run : path

    Returns
    -------
    frozenset of str
    """
    facts = RunFolder(run).read(FACTS) or {}
    with understood(run / FACTS.file):
        return frozenset(name for name, about in facts.get("models", {}).items() if about.get("start_of"))


def chosen_model(run: Path, wanted: str | None) -> tuple[str, Path]:
    """Return the model that was asked for, or the only one there is, beside its closed-form start.

    Parameters
    ----------
    run : path
    wanted : str or None

    Returns
    -------
    tuple[str, path]

    Raises
    ------
    ConfigError
        For a name that is not there, and for none where there are several.
    """
    found = saved_models(run)
    usual = [name for name in found if wanted is None and name not in starts_in(run)]
    if wanted is None and len(usual) != 1:
        raise ConfigError(f"{run} holds {len(found)} models. Choose one with --model: {', '.join(found)}")
    name = usual[0] if wanted is None else wanted
    if name not in found:
        raise ConfigError(f"{run} holds no model {name!r}. {nearest(name, found)}")
    return name, found[name]

"""The steps of a fit; one that an earlier process has made, or begun, is not made again.

See :mod:`foretide.data.checkpoints`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from foretide.data.checkpoints import Gradual, here, kept_until_done, remembered
from foretide.data.digests import digest_of_panel
from foretide.data.kept import Kept
from foretide.data.time.closures import Closures
from foretide.errors import ArtifactError
from foretide.forecasters.artifact import DECISIVE, KEPT, from_json, to_json
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.gaussian import distribution_of
from foretide.forecasters.options import decisive
from foretide.forecasters.part import kept_history
from foretide.forecasters.paths.learned import learn_from_errors
from foretide.forecasters.stand_in import StandIn
from foretide.forecasters.table import class_place, registered
from foretide.training.saved import prefixed, under

if TYPE_CHECKING:
    import os

    from foretide.forecasters.base import FitPart, Forecaster

    Folder: TypeAlias = str | os.PathLike[str]

FIT = "fit"
LIBRARIES = ("foretide", "numpy", "scipy", "pandas", *DECISIVE)


@cache
def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that decide what any forecaster computes, as they are installed.

    Returns
    -------
    dict
        Package -> version; those that are not there are left out.
    """
    found = {}
    for module in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[module] = metadata.version(distribution_of(module))
    return found


def fit_once(
    model: Forecaster,
    fitted: Fitted,
    seen: FitPart,
    part: FitPart,
    *,
    intervals: bool,
    checkpoint: Folder | None = None,
) -> None:
    """Fit a forecaster in place, or put it where an earlier process had brought it.

    Parameters
    ----------
    model : Forecaster
        Unfitted.
    fitted : Fitted
        What the table looks like.
    seen, part : FitPart
        All of it, and what can be learned from.
    intervals : bool
        Whether it learns the intervals of its past errors.
    checkpoint : path, optional
        Folder of a user's, where what is done is kept until all is.
    """
    place = here()
    if place is None and checkpoint is None:
        _fit(model, fitted, seen, part, intervals=intervals)
        return
    inside = place is not None and FIT in place.within

    def work() -> Forecaster:
        _fit(model, fitted, seen, part, intervals=intervals)
        return model

    decided_by = (
        class_place(type(model)), decisive(model.settings()), intervals, fitted, part.train_rows, str(part.train_until),
        digest_of_panel(part.panel), digest_of_panel(seen.panel), model._former,
    )  # fmt: skip
    with kept_until_done(checkpoint, FIT, (installed_versions(), *decided_by)):
        remembered(
            FIT, decided_by, work,
            pack=lambda made: _packed(made, inside=inside),
            unpack=lambda kept: _taken_up(model, kept),
        )  # fmt: skip


def _fit(model: Forecaster, fitted: Fitted, seen: FitPart, part: FitPart, *, intervals: bool) -> None:
    _learn(model, part)
    history, stand_in = kept_history(seen.panel, model.memory), StandIn.fit(seen.panel)
    fitted = replace(fitted, closures=Closures.learn(seen.panel, model._country))
    model._fitted = replace(fitted, ids=part.panel.ids, history=history, stand_in=stand_in)
    if intervals:
        own, dependence = learn_from_errors(model, part)
        model._fitted = replace(model._fitted, intervals=own, dependence=dependence)


def _learn(model: Forecaster, part: FitPart) -> None:
    """Learn from a part, and keep what was learned before the further fits for its intervals begin.

    What trains has kept its trainings, and what forgets does not go on from what is saved.
    """
    if here() is None or any(one.neural or one.forgets != "never" for one in _all_parts(model)):
        model._fit(part)
        return
    file = Gradual("learned")
    kept = file.found()
    if kept is not None:
        go_on(model, kept)
        return
    model._fit(part)
    with suppress(ArtifactError):  # something that JSON cannot hold
        file.keep(lambda: so_far(model), ended=True)


def _packed(model: Forecaster, *, inside: bool) -> Kept | None:
    """Return a fitted forecaster as arrays and facts; None where it would not be the same afterwards."""
    fitted, parts = model._fitted, list(_all_parts(model))
    lost = ("always", "inside") if inside else ("always",)
    if fitted is None or any(registered(type(part)) is None or part.forgets in lost for part in parts):
        return None
    try:
        facts = to_json({"facts": model.facts(), "panel": fitted.facts()})
    except ArtifactError:  # something that JSON cannot hold
        return None
    assert isinstance(facts, dict)
    return Kept({**{name: np.asarray(value) for name, value in model.state().items()}, **_history(fitted)}, facts)


def _history(fitted: Fitted) -> dict[str, np.ndarray]:
    return prefixed(KEPT, fitted.arrays())


def _taken_up(model: Forecaster, kept: Kept) -> Forecaster:
    about = from_json(kept.facts)
    own = {name: array for name, array in kept.arrays.items() if not name.startswith(KEPT)}
    model.restore(own, about["facts"])
    model._fitted = Fitted.restore(about["panel"], under(KEPT, kept.arrays))
    return model


def so_far(model: Forecaster) -> Kept:
    """Return what a forecaster has learned until now, in the middle of its fit.

    Parameters
    ----------
    model : Forecaster

    Returns
    -------
    Kept
    """
    facts = to_json(model.facts())
    assert isinstance(facts, dict)
    return Kept(model.state(), facts)


def go_on(model: Forecaster, kept: Kept | None) -> None:
    """Put a forecaster where :func:`so_far` was; nothing for None.

    Parameters
    ----------
    model : Forecaster
    kept : Kept or None
    """
    if kept is not None:
        model.restore(dict(kept.arrays), from_json(kept.facts))


def _all_parts(model: Forecaster) -> Iterator[Forecaster]:
    yield model
    for part in model.parts:
        yield from _all_parts(part)

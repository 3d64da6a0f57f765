"""Models as the check for leaks takes them: forecasters, objects of one's own, and functions that make one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from foretide.errors import ConfigError
from foretide.evaluation.model import Model
from foretide.forecasters.forecast import Forecast

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.typing import Time


Maker: TypeAlias = Callable[[], Model]


def maker_of(model: Model | Maker) -> Maker:
    """Return a function that makes a fresh, unfitted model.

    Parameters
    ----------
    model : object with ``fit`` and ``predict``, or a class or function without arguments that returns one
        An object stays as it is: fresh ones are made from its ``settings()``, or by ``copy.deepcopy`` where it has
        none.

    Returns
    -------
    callable

    Raises
    ------
    ConfigError
        For anything else; later, when no fresh one can be made.
    """
    if not isinstance(model, type) and _is_model(model):
        return lambda: _anew(model)
    if not callable(model):
        raise ConfigError(
            f"A model has fit(panel, until=...) and predict(panel, cutoffs), or is a class or function without "
            f"arguments that returns one; got {model!r}."
        )
    return lambda: _called(model)


def fitted(model: Model, panel: Panel, until: Time) -> Model:
    """Fit a model.

    Parameters
    ----------
    model : Model
    panel : Panel
    until : time

    Returns
    -------
    Model
        What ``fit`` returned, where that is one.
    """
    answer = model.fit(panel, until=until)
    return answer if _is_model(answer) else model


def twin(model: Model, panel: Panel) -> Model:
    """Return a copy of a fitted model; what cannot be copied (a handle, a lock) is used as it is.

    Parameters
    ----------
    model : Model
    panel : Panel
        Large, and only read: where the model keeps it, it is shared.

    Returns
    -------
    Model
    """
    shared: dict[int, object] = {id(panel): panel, id(panel.values): panel.values}
    try:
        return copy.deepcopy(model, shared)
    except Exception:
        return model


def forecast_of(model: Model, panel: Panel, cutoffs: Sequence[Time], *, again: bool = False) -> Forecast:
    """Predict by a copy, so that nothing a model keeps from one forecast serves it in the next one.

    Parameters
    ----------
    model : Model
    panel : Panel
    cutoffs : sequence of times
    again : bool
        Whether to predict by the model itself, with what it keeps.

    Returns
    -------
    Forecast

    Raises
    ------
    ConfigError
        When the model answers with something else.
    """
    answer: object = (model if again else twin(model, panel)).predict(panel, list(cutoffs))
    if not isinstance(answer, Forecast):
        raise ConfigError(
            f"{type(model).__name__}.predict returned {type(answer).__name__}, expected a foretide.Forecast. "
            "Type: return ft.Forecast(name, panel, windows, mean)  # mean: [windows, steps, targets]"
        )
    return answer


def _is_model(model: object) -> TypeGuard[Model]:
    return callable(getattr(model, "fit", None)) and callable(getattr(model, "predict", None))


def _called(factory: Maker) -> Model:
    name = getattr(factory, "__name__", repr(factory))
    try:
        model: object = factory()
    except TypeError as error:
        raise ConfigError(f"{name}() cannot be made without arguments ({error}). Type: lambda: {name}(...)") from error
    if isinstance(model, type) or not _is_model(model):
        raise ConfigError(
            f"{name}() returns {model!r}, which has no fit(panel, until=...) and predict(panel, cutoffs)."
        )
    return model


def _anew(model: Model) -> Model:
    name, settings = type(model).__name__, getattr(model, "settings", None)
    instead = f"a function that makes one: check_leaks(lambda: {name}(...), panel)"
    if not callable(settings):
        try:
            return copy.deepcopy(model)
        except Exception as error:
            raise ConfigError(f"{name} cannot be copied ({error}). Give {instead}") from error
    try:
        return type(model)(**copy.deepcopy(settings()))
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            f"A fresh {name} cannot be made from its settings ({error}). Keep every argument of the constructor as an "
            f"attribute of the same name, or give {instead}"
        ) from error

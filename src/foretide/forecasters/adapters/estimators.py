"""Estimators of scikit-learn as settings that a file can hold, and back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, Self, TypeAlias, cast

from foretide.errors import ConfigError, nearest
from foretide.typing import Floats


class Regressor(Protocol):
    """What an estimator must be able to do."""

    def fit(self, X: Floats, y: Floats, /) -> Self:
        """Learn from rows ``[n, P]`` and their values ``[n]``."""

    def predict(self, X: Floats, /) -> Floats:
        """Return a value for each row ``[n, P]``."""

    def get_params(self, deep: bool = ...) -> dict[str, object]:
        """Return the settings by name."""


Estimator: TypeAlias = Regressor | str | Mapping[str, object]
"""An estimator, the name of a class of scikit-learn, or ``{name: settings}``."""


ROOMS = (
    "linear_model", "ensemble", "tree", "neighbors", "svm", "neural_network", "kernel_ridge", "gaussian_process",
    "pipeline", "preprocessing", "compose", "dummy", "isotonic", "cross_decomposition", "multioutput", "decomposition",
    "feature_selection", "kernel_approximation", "model_selection", "impute", "random_projection", "cluster",
    "manifold",
)  # fmt: skip
"""Public modules of scikit-learn in which a class is looked for by its name; each is imported when it is its turn."""


@cache
def _class(name: str) -> type | None:
    """Return a public estimator of scikit-learn by the name of its class; None where there is none."""
    if name.isidentifier() and not name.startswith("_"):
        for room in ROOMS:
            kind = getattr(import_module(f"sklearn.{room}"), name, None)
            if isinstance(kind, type) and hasattr(kind, "get_params"):
                return kind
    return None


def _unknown(name: object) -> ConfigError:
    from sklearn.utils import all_estimators

    return ConfigError(f"scikit-learn has no estimator {name!r}. {nearest(name, dict(all_estimators()))}")


def estimator_of(described: object) -> object:
    """Make what :func:`described_as` described; anything else is returned as it is.

    Parameters
    ----------
    described : object

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        For a class that scikit-learn has not, and for settings that it does not take.

    Examples
    --------
    >>> estimator_of([1.0, "auto"])
    [1.0, 'auto']
    """
    if isinstance(described, (list, tuple)):
        return type(described)(estimator_of(item) for item in described)
    if not isinstance(described, Mapping) or len(described) != 1:
        return described
    ((name, given),) = described.items()
    kind = _class(str(name))
    if kind is None:
        return described
    try:
        return kind(**{key: estimator_of(value) for key, value in dict(given or {}).items()})
    except TypeError as error:
        raise ConfigError(f"scikit-learn's {name} cannot be made: {error}.") from None


def regressor_of(described: Estimator) -> Regressor:
    """Return a fresh, unfitted regressor.

    Parameters
    ----------
    described : estimator, str or {name: settings}
        An estimator is cloned.

    Returns
    -------
    Regressor

    Raises
    ------
    ConfigError
        For what is none.
    """
    from sklearn.base import clone

    named = {described: {}} if isinstance(described, str) else described
    if isinstance(named, Mapping) and len(named) != 1:
        raise ConfigError(
            f"An estimator of scikit-learn is a name, or one name with its settings; got {dict(named)!r}."
        )
    if isinstance(named, Mapping) and _class(str(next(iter(named)))) is None:
        raise _unknown(next(iter(named)))
    made = estimator_of(named)
    if not all(callable(getattr(made, deed, None)) for deed in ("fit", "predict", "get_params")):
        raise ConfigError(
            f"model is a regressor of scikit-learn, its name or {{name: settings}}; got {described!r}. "
            "Type: model={'Ridge': {'alpha': 1.0}}"
        )
    return cast(Regressor, clone(made))


def described_as(value: object) -> object:
    """Return settings that a file can hold in place of estimators of scikit-learn, those inside others included.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
        ``{name: settings that are not the default}`` of such an estimator; anything else as it is.

    Examples
    --------
    >>> described_as((1.0, "auto"))
    (1.0, 'auto')
    """
    if isinstance(value, (list, tuple)):
        return type(value)(described_as(item) for item in value)
    kind = type(value)
    if not hasattr(value, "get_params") or _class(kind.__name__) is not kind:
        return value
    default = _defaults(kind)
    given = cast(Regressor, value).get_params(deep=False)
    return {
        kind.__name__: {k: described_as(v) for k, v in given.items() if k not in default or not _same(v, default[k])}
    }


def _defaults(kind: type) -> dict[str, object]:
    known = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in known if p.default is not inspect.Parameter.empty}


def _same(value: object, default: object) -> bool:
    return value is default or (type(value) is type(default) and value == default)


def seeded(model: Regressor, seed: int) -> Regressor:
    """Give a seed to every part of an estimator that draws at random and has none, so that each fit is the same.

    Parameters
    ----------
    model : Regressor
        Changed in place.
    seed : int

    Returns
    -------
    Regressor
    """
    own = {
        k: seed for k, v in model.get_params(deep=True).items() if k.rpartition("__")[2] == "random_state" and v is None
    }
    if own:
        model.set_params(**own)  # type: ignore[attr-defined]
    return model

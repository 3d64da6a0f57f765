"""The default search space of a forecaster, as its class gives it."""

from __future__ import annotations

from foretide.forecasters.base import Forecaster
from foretide.forecasters.sizes import Sizes
from foretide.tuning.space import Space, parameter


def default_space(kind: type[Forecaster], at: Sizes) -> Space:
    """Read the default search space of a class.

    Parameters
    ----------
    kind : type
    at : Sizes
        What the space may depend on.

    Returns
    -------
    dict
        Setting -> entry; empty for a forecaster without settings worth a search, which gets one trial.

    Examples
    --------
    >>> import foretide as ft
    >>> default_space(ft.SeasonalES, Sizes(rows=400, h=7, seasons=(7,)))
    {'alpha': Float(low=0.01, high=0.95, log=True)}
    """
    return {name: parameter(name, entry) for name, entry in kind.search_space(at).items()}

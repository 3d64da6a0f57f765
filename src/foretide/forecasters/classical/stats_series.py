"""What a model of statsforecast reads of a series, and what is kept of one that was fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from foretide.forecasters.classical.regressors import Regressors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.typing import Floats


class Model(Protocol):
    """What the models of statsforecast have in common; some cannot go ``forward``."""

    model_: Mapping[str, object]
    """After a fit, what it keeps."""

    def fit(self, y: Floats, X: Floats | None = None) -> Model:
        """Estimate it."""

    def predict(self, h: int, level: list[float] | None = None, **known: Floats | None) -> Mapping[str, Floats]:
        """Forecast after the values it was estimated on."""

    def forward(
        self, y: Floats, h: int, level: list[float] | None = None, **known: Floats | None
    ) -> Mapping[str, Floats]:
        """Forecast after other values with the parameters it has."""


@dataclass(frozen=True, eq=False)
class Series:
    """What a model reads: values ``[n]``, regressors ``[n, k]``, and those of the horizon ``[h, k]``."""

    y: Floats
    x: Floats
    ahead: Floats | None = None

    def fit(self, model: Model) -> Model:
        """Estimate a model of statsforecast."""
        return model.fit(self.y, self.x) if self.x.shape[1] else model.fit(self.y)


@dataclass(frozen=True, eq=False)
class FittedSeries:
    """A series that was fitted on, the grid step of its first value, and its regressors where the model takes any."""

    series: Series
    first: int
    regressors: Regressors | None = None

    def without(self, reason: str) -> FittedSeries:
        """Return the same without regressors, for a reason."""
        assert self.regressors is not None
        left = [k for columns in self.regressors.left_out.values() for k in columns]
        none = Regressors.none(reason, sorted([*left, *map(int, self.regressors.columns)]))
        return replace(self, series=Series(self.series.y, self.series.x[:, :0]), regressors=none)


def structure_of(model: Model | None) -> str | None:
    """Return what a fitted model turned out to be, as far as it says so.

    Parameters
    ----------
    model : Model or None

    Returns
    -------
    str or None

    Examples
    --------
    >>> import numpy as np
    >>> from statsforecast.models import AutoETS
    >>> structure_of(AutoETS().fit(np.arange(20.0)))
    'ETS(A,A,N)'
    """
    about = getattr(model, "model_", None)
    if not isinstance(about, dict):
        return None
    if "arma" in about:
        p, q, seasonal_p, seasonal_q, season, d, seasonal_d = about["arma"]
        return f"ARIMA({p},{d},{q})({seasonal_p},{seasonal_d},{seasonal_q})[{season}]"
    return next((str(about[name]) for name in ("method", "modeltype") if name in about), None)

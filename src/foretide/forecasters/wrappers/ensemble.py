"""Blends of forecasters: means and quantiles averaged with fixed or validated weights, or their medians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from copy import copy
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from foretide.data.windows import places, slide, truth_of
from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.wrappers.wrapper import Member, Wrapper, fit_member, notes_of_members, unfitted
from foretide.parallel import check_jobs, stream_tasks

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Bools, Floats, Ints, Json, Reals, Time


Weights = Literal["validated"] | Sequence[float] | None
Combine = Literal["mean", "median"]


class Ensemble(Wrapper):
    """Weighted mean, or median, of several forecasters, of seeds or of configurations.

    Means are averaged, and so are quantiles, level by level (quantile averaging keeps the shape of the distributions,
    where mixing them would widen it; Lichtendahl et al. 2013). Quantiles of counts are rounded to whole numbers. A
    median is that of the members' means, and of their quantiles level by level: one member far off does not move it.
    ``Forecast.extras["spread"]`` ``[N, H, D]`` is the standard deviation between the members' means. It says how far
    they disagree, and is no interval: it knows nothing of the noise in the data.

    Parameters
    ----------
    models : sequence
        The members: forecasters, which are copied and not fitted themselves; or names, or ``{name: settings}``.
    weights : None, "validated" or sequence of float
        None: all equal. A sequence: one share per member, not negative, with sum one. ``"validated"``: the shares with
        the least squared error on the validation part, every series in units of its own standard deviation; the
        members are fitted on the training part for that, and then again on everything; the validation part stays
        apart only for members that need one themselves.
    h : int, optional
        Steps forecast; by default that of the members.
    alias : str, optional
        Name in frames and tables.
    combine : {"mean", "median"}
        A median has no weights.
    n_jobs : int
        Members fitted side by side, each on one thread; -1: one per core. It changes no forecast.

    Raises
    ------
    ConfigError
        For no member, unequal horizons, weights that are no shares, or weights of a median.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
    >>> model = ft.Ensemble([ft.SeasonalNaive(24, 24), ft.Drift(24)], (0.8, 0.2)).fit(panel)
    >>> model.predict(panel).extras["spread"].shape
    (1, 24, 1)
    """

    nests = "models"
    quick: ClassVar[Mapping[str, object]] = {
        "models": [{"SeasonalNaive": {}}, {"Ridge": {"input_size": 14}}, {"Drift": {}}], "weights": "validated",
    }  # fmt: skip
    traces_by_target = ("spread",)

    def __init__(
        self,
        models: Sequence[Member],
        weights: Weights = None,
        *,
        h: int | None = None,
        alias: str | None = None,
        combine: Combine = "mean",
        n_jobs: int = 1,
    ) -> None:
        if isinstance(models, (str, Mapping, Forecaster)) or not len(models):
            raise ConfigError(f"models is a list of at least one forecaster, got {models!r}. Try Ensemble([a, b]).")
        members = [unfitted(model, h) for model in models]
        horizons = [member.h for member in members]
        if len(set(horizons)) > 1 or (h is not None and h != horizons[0]):
            raise ConfigError(
                f"All members forecast the same number of steps; got h={sorted({*horizons, h or 0} - {0})}."
            )
        super().__init__(members, alias=alias)
        self.weights = _checked(weights, len(self.members))
        if combine not in ("mean", "median"):
            raise ConfigError(f"There is no way {combine!r} to combine. {nearest(combine, ('mean', 'median'))}")
        if combine == "median" and self.weights is not None:
            raise ConfigError(f"A median has no weights, got {weights!r}. Leave them out, or take combine='mean'.")
        self.combine, self.n_jobs = combine, check_jobs(n_jobs)
        self.shares: Floats | None = None
        """What each member counts, ``[M]``; known after fit, None for a median."""
        self.uses_validation = self.uses_validation or weights == "validated"

    @classmethod
    def of_seeds(
        cls,
        make: Forecaster | type[Forecaster],
        seeds: int | Sequence[int],
        *,
        weights: Weights = None,
        alias: str | None = None,
        combine: Combine = "mean",
        n_jobs: int = 1,
        **settings: object,
    ) -> Self:
        """Return an ensemble of one model with several seeds.

        Parameters
        ----------
        make : Forecaster or its class
            A forecaster is copied with its settings: ``Ensemble.of_seeds(ft.LSTM(h=10), 5)``.
        seeds : int or sequence of int
            A number ``n`` means the seeds ``0 .. n - 1``.
        weights, alias, combine, n_jobs
            As for the class.
        **settings
            Of the model: ``Ensemble.of_seeds(ft.LSTM, range(5), h=10)``.

        Raises
        ------
        ConfigError
            For a model without a seed.

        Returns
        -------
        Ensemble

        Examples
        --------
        >>> import foretide as ft
        >>> len(ft.Ensemble.of_seeds(ft.LSTM, 3, h=24).members)
        3
        """
        kind = type(make) if isinstance(make, Forecaster) else make
        if "seed" not in kind.parameters() and not kind.takes_any():
            raise ConfigError(
                f"{kind.__name__} has no seed: its members would all be equal. Take a model that is trained."
            )
        if isinstance(seeds, bool) or (isinstance(seeds, (int, np.integer)) and seeds < 1):
            raise ConfigError(f"seeds is how many seeds, at least 1, or a list of them; got {seeds!r}.")
        chosen = range(int(seeds)) if isinstance(seeds, (int, np.integer)) else seeds
        given: Json = {**make.settings(), **settings} if isinstance(make, Forecaster) else settings
        members = [kind(**{**given, "seed": int(seed)}) for seed in chosen]
        return cls(members, weights, alias=alias, combine=combine, n_jobs=n_jobs)

    @property
    def models(self) -> list[dict[str, dict[str, object]]]:
        """The members as ``{name: settings}``."""
        return [{type(member).__name__: member.settings()} for member in self.members]

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        if self.combine == "median":
            self.shares = None
        elif self.weights == "validated":
            self.shares = self._validated(part)
        else:
            equal = [1 / len(self.members)] * len(self.members)
            self.shares = np.array(equal if self.weights is None else self.weights, dtype=np.float64)
        # A member that sets nothing on the validation part learns from it too.
        self.members = self._fit_all(part.panel, part.train_until)

    def _fit_all(self, panel: Panel, train_until: Time | None = None) -> list[Forecaster]:
        """Return copies of all members, fitted side by side; the first error there is ends it."""
        items = [(m.fresh(), train_until if m.uses_validation else None) for m in self.members]
        tasks = stream_tasks(fit_member, items, shared=panel, n_jobs=self.n_jobs, chunk=1)
        with closing(tasks) as outcomes:
            found = {outcome.index: outcome.get() for outcome in outcomes}
        return [found[k] for k in range(len(items))]

    def _validated(self, part: FitPart) -> Floats:
        """Shares with the least squared error of forecasts into the validation part."""
        members = self._fit_all(part.train)
        history = max(member.min_history for member in members)
        windows = slide(part.panel, input_size=history, h=self.h, first_target=part.panel.first + part.train_rows)
        if not len(windows):
            raise DataError(
                f"No validation window to choose weights on: it needs {self.h} steps after the training part and "
                f"{history} before. Give fit(..., train_until=...) an earlier time, or Ensemble fixed weights."
            )
        made = np.stack([member._answer(part.panel, windows, (), ()).mean for member in members]).astype(np.float64)
        errors = made - truth_of(part.panel, windows, self.h)
        errors /= _spreads(part.train, part.panel)[windows.entity][:, None, :]
        flat = errors.reshape(len(members), -1)
        flat = flat[:, np.isfinite(flat).all(axis=0)]
        if not flat.shape[1]:
            return np.full(len(members), 1 / len(members))
        return simplex_weights(flat @ flat.T)

    def _early(self, part: FitPart, rows: Ints) -> tuple[Forecaster, Ints]:
        """Members that have not learned from the validation part stay; the others are fitted on what lies before."""
        if not any(member.spares_validation for member in self.members):
            return super()._early(part, rows)
        early = copy(self)
        early.members = [
            m._early(part, rows)[0] if m.spares_validation else fit_member(part.train, (m.fresh(), None))
            for m in self.members
        ]
        return early, part.train_rows

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        made = [member._answer(panel, windows, quantiles, ()) for member in self.members]
        means = np.stack([one.mean for one in made]).astype(np.float64)
        mean = np.median(means, axis=0) if self.shares is None else np.einsum("m,mnhd->nhd", self.shares, means)
        spread = means.std(axis=0, ddof=1) if len(made) > 1 else np.zeros_like(mean)
        distributions = [one.quantiles for one in made if one.quantiles is not None]
        blended = (
            blend_quantiles(np.stack(distributions), self.shares)
            if quantiles and len(distributions) == len(made)
            else None
        )
        notes = notes_of_members(self.members, made, panel, len(windows))
        return Prediction(mean, blended, {"spread": spread}, tuple(notes))

    # ---------------------------------------------------------------- keeping
    def state(self) -> dict[str, Array]:
        """The shares, and every member's arrays under its number."""
        return {**({} if self.shares is None else {"shares": self.shares}), **super().state()}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild shares and members from :meth:`state` and :meth:`facts`."""
        super().restore(state, facts)
        self.shares = None if "shares" not in state else np.asarray(state["shares"], dtype=np.float64)


def simplex_weights(gram: Floats) -> Floats:
    """Return the shares ``w >= 0`` with sum one that make ``w' G w`` least, for a Gram matrix of errors ``[M, M]``.

    Non-negative least squares of ``w' G w + (1 - sum w)^2`` points in the same direction: along any ray
    of shares ``u`` its least value falls with ``u' G u``.
    """
    from scipy.optimize import nnls

    gram = gram / max(float(np.trace(gram)), 1e-300)
    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    n = len(gram)
    found = nnls(np.vstack([root, np.ones((1, n))]), np.append(np.zeros(n), 1.0))[0]
    return np.asarray(found / found.sum())


def blend_quantiles(distributions: Reals, shares: Floats | None) -> Floats:
    """Blend quantiles ``[M, N, H, D, Q]`` level by level; those of counts stay whole numbers.

    Parameters
    ----------
    shares : ``[M]``, or ``[N, M]`` by forecast, or None for medians

    Returns
    -------
    ``[N, H, D, Q]``; NaN where a member has none.
    """
    values = np.asarray(distributions, dtype=np.float64)
    if shares is None:
        mixed = np.median(values, axis=0)
    else:
        mixed = np.einsum("m,mnhdq->nhdq" if shares.ndim == 1 else "nm,mnhdq->nhdq", shares, values)
    return np.asarray(np.where(are_whole(values), np.round(mixed), mixed))


def are_whole(values: Reals) -> Bools:
    """Say of which forecasts and targets all quantiles ``[M, N, H, D, Q]`` are whole numbers, ``[N, 1, D, 1]``.

    Each forecast for itself: those from other cutoffs, which may know more, decide nothing.
    """
    whole = ((values == np.round(values)) | np.isnan(values)).all(axis=(0, 2, 4))
    return np.asarray(whole[:, None, :, None])


def _checked(weights: Weights, n: int) -> Literal["validated"] | tuple[float, ...] | None:
    if weights is None or isinstance(weights, str):
        if weights in (None, "validated"):
            return weights
        shares: tuple[float, ...] = ()
    else:
        shares = tuple(float(w) for w in weights)
    if len(shares) != n or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ConfigError(
            f"weights is None, 'validated', or {n} shares that are not negative and sum to one; got {weights!r}."
        )
    return shares


def _spreads(train: Panel, panel: Panel) -> Floats:
    """Standard deviation of each series in the training part, ``[N, D]``; NaN leaves a constant series out."""
    found = np.full((panel.n_entities, panel.n_targets), np.nan)
    for i, place in enumerate(places(panel.ids, train.ids)):
        for d in range(panel.n_targets if place >= 0 else 0):
            values = train.rows(int(place))[:, d]
            seen = values[~np.isnan(values)].astype(np.float64)
            if len(seen) > 1 and seen.std() > 0:
                found[i, d] = seen.std()
    return found

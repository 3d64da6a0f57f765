"""Blends of forecasters: means and quantiles averaged with fixed or validated weights, or their medians."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from foretide.data.windows import slide, truth_of
from foretide.errors import ConfigError, DataError, nearest
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.table import forecaster_class
from foretide.heads.table import shared_range
from foretide.parallel import check_jobs, stream_tasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows

    Floats = NDArray[np.float64]

Weights = Literal["validated"] | Sequence[float] | None
Combine = Literal["mean", "median"]
Member = Forecaster | str | Mapping[str, Mapping[str, Any]]


class Ensemble(Forecaster):
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
    """

    nests = "models"
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
        self.members = [unfitted(model, h) for model in models]
        horizons = [member.h for member in self.members]
        if len(set(horizons)) > 1 or (h is not None and h != horizons[0]):
            raise ConfigError(
                f"All members forecast the same number of steps; got h={sorted({*horizons, h or 0} - {0})}."
            )
        super().__init__(horizons[0], alias=alias)
        self.weights = _checked(weights, len(self.members))
        if combine not in ("mean", "median"):
            raise ConfigError(f"There is no way {combine!r} to combine. {nearest(combine, ('mean', 'median'))}")
        if combine == "median" and self.weights is not None:
            raise ConfigError(f"A median has no weights, got {weights!r}. Leave them out, or take combine='mean'.")
        self.combine, self.n_jobs = combine, check_jobs(n_jobs)
        self.uses_future = any(member.uses_future for member in self.members)
        self.shares: Floats | None = None
        """What each member counts, ``[M]``; known after fit, None for a median."""
        self.uses_validation = weights == "validated" or any(  # type: ignore[misc]  # depends on the members
            member.uses_validation for member in self.members
        )
        self.neural = any(member.neural for member in self.members)

    @classmethod
    def of_seeds(
        cls,
        make: Forecaster | Callable[..., Forecaster],
        seeds: int | Sequence[int],
        *,
        weights: Weights = None,
        alias: str | None = None,
        combine: Combine = "mean",
        n_jobs: int = 1,
        **settings: Any,
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
        """
        kind: Callable[..., Forecaster] = type(make) if isinstance(make, Forecaster) else make
        known = inspect.signature(kind).parameters
        if "seed" not in known and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            name = getattr(kind, "__name__", repr(kind))
            raise ConfigError(f"{name} has no seed: its members would all be equal. Take a model that is trained.")
        if isinstance(seeds, bool) or (isinstance(seeds, (int, np.integer)) and seeds < 1):
            raise ConfigError(f"seeds is how many seeds, at least 1, or a list of them; got {seeds!r}.")
        chosen = range(int(seeds)) if isinstance(seeds, (int, np.integer)) else seeds
        given = {**make.settings(), **settings} if isinstance(make, Forecaster) else settings
        members = [kind(**{**given, "seed": int(seed)}) for seed in chosen]
        return cls(members, weights, alias=alias, combine=combine, n_jobs=n_jobs)

    @property
    def models(self) -> list[dict[str, dict[str, Any]]]:
        """The members as ``{name: settings}``."""
        return [{type(member).__name__: member.settings()} for member in self.members]

    @property
    def parts(self) -> tuple[Forecaster, ...]:
        """The members."""
        return tuple(self.members)

    def fresh(self) -> Self:
        """Return an unfitted forecaster with the same settings."""
        return type(self)(**{**self.settings(), "models": self.members})

    @property
    def has_distribution(self) -> bool:  # type: ignore[override]  # depends on the members
        """Whether every member gives quantiles."""
        return all(member.has_distribution for member in self.members)

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that the distributions of all members hold."""
        return shared_range(member.quantile_range for member in self.members)

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff, by the member that needs least; a stand-in answers for the others."""
        return min(member.min_history for member in self.members)

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on."""
        found = [member.memory for member in self.members]
        return max((m for m in found if m is not None), default=None) if None not in found else None

    # ---------------------------------------------------------------- learning
    def _fit(self, part: FitPart) -> None:
        n = len(self.members)
        if self.combine == "median":
            self.shares = None
        elif self.weights == "validated":
            self.shares = self._validated(part)
        else:
            self.shares = np.full(n, 1 / n) if self.weights is None else np.asarray(self.weights, dtype=np.float64)
        # A member that sets nothing on the validation part learns from it too.
        self.members = self._all_fitted(part.panel, part.train_until)

    def _all_fitted(self, panel: Panel, train_until: Any = None) -> list[Forecaster]:
        """Return copies of all members, fitted; the first error there is ends it."""
        fresh = [unfitted(member, self.h) for member in self.members]
        tasks = stream_tasks(
            _fit_member, [(m, train_until if m.uses_validation else None) for m in fresh], shared=panel,
            n_jobs=self.n_jobs, chunk=1,
        )  # fmt: skip
        with closing(tasks) as outcomes:
            found = {outcome.index: outcome.get() for outcome in outcomes}
        return [found[k] for k in range(len(fresh))]

    def _validated(self, part: FitPart) -> Floats:
        """Shares with the least squared error of forecasts into the validation part."""
        members = self._all_fitted(part.train)
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

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        wanted = quantiles if self.has_distribution else ()
        made = [member._answer(panel, windows, wanted, ()) for member in self.members]
        means = np.stack([one.mean for one in made]).astype(np.float64)
        mean = np.median(means, axis=0) if self.shares is None else np.einsum("m,mnhd->nhd", self.shares, means)
        spread = means.std(axis=0, ddof=1) if len(made) > 1 else np.zeros_like(mean)
        distributions = [one.quantiles for one in made if one.quantiles is not None]
        blended = (
            blend_quantiles(np.stack(distributions), self.shares)
            if wanted and len(distributions) == len(made)
            else None
        )
        return Prediction(mean, blended, {"spread": spread}, tuple(note for one in made for note in one.notes))

    # ---------------------------------------------------------------- keeping
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments; members as ``{name: settings}``."""
        return {
            "models": self.models,
            "weights": self.weights,
            "h": self.h,
            "alias": self.alias,
            "combine": self.combine,
            "n_jobs": self.n_jobs,
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """The shares, and every member's arrays under its number."""
        shares = {} if self.shares is None else {"shares": self.shares}
        of_members = {f"{k}/{name}": a for k, member in enumerate(self.members) for name, a in member.state().items()}
        return {**shares, **of_members}

    def facts(self) -> dict[str, Any]:
        """Every member's facts, and the panel it was fitted on."""
        fitted = [m._fitted.without_history().facts() for m in self.members if m._fitted is not None]
        return {"members": [member.facts() for member in self.members], "fitted": fitted}

    def restore(self, state: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        """Rebuild the members from :meth:`state` and :meth:`facts`."""
        self.shares = state.get("shares")
        for k, (member, known, fitted) in enumerate(zip(self.members, facts["members"], facts["fitted"], strict=True)):
            own = {name.partition("/")[2]: a for name, a in state.items() if name.partition("/")[0] == str(k)}
            member.restore(own, known)
            member._fitted = Fitted.restore(fitted, {})


def _fit_member(panel: Panel, item: tuple[Forecaster, Any]) -> Forecaster:
    member, train_until = item
    member.fit(panel, train_until=train_until)
    if member._fitted is not None:  # what was seen need not travel between processes: the ensemble keeps it
        member._fitted = member._fitted.without_history()
    return member


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


def blend_quantiles(distributions: NDArray[np.floating], shares: Floats | None) -> Floats:
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
    whole = bool(((values == np.round(values)) | np.isnan(values)).all())
    return np.asarray(np.round(mixed) if whole else mixed)


def unfitted(model: Member, h: int | None) -> Forecaster:
    """Return an unfitted forecaster like ``model``, or the one that a name with settings describes."""
    if isinstance(model, Forecaster):
        return model.fresh()
    if isinstance(model, str):
        model = {model: {}}
    if not isinstance(model, Mapping) or len(model) != 1:
        raise ConfigError(f"A member is a forecaster, a name or {{name: settings}}; got {model!r}.")
    ((name, settings),) = model.items()
    given = dict(settings or {})
    if "h" not in given and h is None:
        raise ConfigError(f"The member {name} has no horizon. Type: Ensemble([...], h=14)")
    given.setdefault("h", h)
    return forecaster_class(name)(**given)


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
    where = {name: i for i, name in enumerate(train.ids)}
    for i, name in enumerate(panel.ids):
        values = train.rows(where[name])[:, : train.n_targets] if name in where else np.zeros((0, panel.n_targets))
        for d in range(panel.n_targets):
            seen = values[:, d][~np.isnan(values[:, d])].astype(np.float64)
            if len(seen) > 1 and seen.std() > 0:
                found[i, d] = seen.std()
    return found

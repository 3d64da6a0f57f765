"""LAVAR: a latent autoencoder with VAR dynamics, and heads for dense, sparse and ultra-sparse targets on its state."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Unpack

import numpy as np

from foretide.data.checkpoints import at
from foretide.data.counts import BUCKETS, buckets
from foretide.data.reading.problems import DataWarning
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import joined_choices, same_for_all
from foretide.forecasters.lavar.config import BY_CHANCE, LAVAROptions, StagesConfig, SupplyConfig
from foretide.forecasters.naming import start_name
from foretide.forecasters.options import check_options
from foretide.forecasters.part import without_future
from foretide.forecasters.simple.calendar_es import CalendarSpec, calendar_of
from foretide.forecasters.sizes import Sizes, SpaceEntry, near
from foretide.heads.table import HeadSpec, routes, shared_range
from foretide.models.config import LatentConfig
from foretide.training.saved import rebuilt
from foretide.typing import Array, Ints

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.lavar.parts import Parts
    from foretide.training.watch import Epoch
    from foretide.typing import Frame, Json, Time


class LAVAR(Forecaster):
    """Many targets, most of them sparse, driven by covariates, the calendar and their own moving levels.

    Stage 1 learns an encoder, a decoder and a VAR in the latent space of the covariates. Stage 2 works on the frozen
    state: each series gets a base from its own past (seasonal level times holiday factors, chosen per series), which
    the latent state multiplies (see :mod:`foretide.forecasters.lavar.latent_effects`), and heads, one per density
    bucket, learn what is left from the rolled-out state and from what is known ahead.

    Parameters
    ----------
    h : int
        Steps to forecast.
    order : int
        Lags ``p`` of the VAR; fewer are taken, with a warning, where most series are too short for so many.
    latent : int
        Size ``K`` of the latent state (at most as many as the encoder has inputs).
    heads : "auto", or three heads
        For dense, sparse and ultra-sparse targets; "auto" is ``("delta", "delta", "zinb")`` where all targets are
        counts, else "delta" throughout. Any name of the table of heads, or a dict with options.
    seasons : sequence of int, optional
        Periods in steps; found from the frequency by default.
    calendar : Calendar, dict, "auto" or None
        Features known ahead; one with a country brings its public holidays. "auto" takes those of the frequency.
    seed : int
        Same seed, machine and thread count: same weights to the bit.
    alias : str, optional
        Name in frames and tables.

    Notes
    -----
    Source: the LAVAR specification; the base and the closed-form latent effects are this library's own.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=150, n_series=1, seed=0).panel
    >>> model = ft.LAVAR(h=3, order=2, latent=2, base="last", epochs=1, head_epochs=1).fit(panel)
    >>> model.predict(panel).mean.shape
    (1, 3, 1)
    """

    configs = (LatentConfig, SupplyConfig, StagesConfig)
    for_counts: ClassVar[tuple[HeadSpec, ...]] = ("delta", "delta", "zinb")
    """What heads="auto" is where all targets are counts; where not, the first of them throughout."""
    quick: ClassVar[Mapping[str, object]] = {"order": 3, "latent": 2, "epochs": 2, "head_epochs": 2}
    has_distribution = True
    uses_validation = True
    knows_ids = True
    uses_future = True
    neural, needs_future, explains = True, True, ("latent",)
    needs = "torch"
    exports = "foretide.forecasters.onnx.lavar:LavarGraph"
    traces = ("base", "latent")
    """``base`` ``[W, H, D]``: the forecast before the heads; ``latent`` ``[W, H, K]``: the rolled-out state."""
    traces_by_target = ("base",)

    def __init__(
        self,
        h: int,
        order: int = 7,
        latent: int = 8,
        *,
        heads: str | Sequence[HeadSpec] = "auto",
        seasons: Sequence[int] | None = None,
        calendar: CalendarSpec | str = "auto",
        seed: int = 0,
        alias: str | None = None,
        **options: Unpack[LAVAROptions],
    ) -> None:
        super().__init__(h, alias=alias)
        self.order, self.latent, self.seed = order, latent, seed
        self.heads = heads if isinstance(heads, str) else tuple(heads)
        self.seasons = None if seasons is None else tuple(seasons)
        self.calendar = "auto" if calendar == "auto" else calendar_of(calendar)
        if elsewhere := {"device", "devices"} & options.keys():
            raise ConfigError(
                "LAVAR trains in one process, on the CPU: its stages take seconds. "
                f"Leave {' and '.join(sorted(elsewhere))} out; LSTM and Attention know it."
            )
        check_options(options, self.configs, self._named())
        self.config: LatentConfig = rebuilt(self.configs[0], {"order": order, "latent": latent, **options})
        self.supply: SupplyConfig = rebuilt(self.configs[1], options)
        self.stages: StagesConfig = rebuilt(self.configs[2], options)
        self._options = dict(options)
        self._check_heads()
        self._teacher: LAVAR | None = None
        self._lags = order
        self.parts_: Parts | None = None
        self.history: dict[str, list[Epoch]] = {}
        self.verdicts_: list[dict[str, object]] = []
        self.interventions: dict[str, int] = {}
        """What the guardrails did in the last ``predict``: points by kind."""

    # ---------------------------------------------------------------- what a person calls
    def gates(self) -> pd.DataFrame:
        """Return what was tried beside the base, what validation said of it, and what it took.

        Returns
        -------
        DataFrame
            One row per part: ``part, kept, gain, noise, stretches, epochs, seconds, why``. ``gain`` is the share of the
            pooled, scaled squared error on validation windows that went with the part, ``noise`` its standard error
            over ``stretches`` of time and over series; NaN where a part was not tried.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=150, n_series=1, seed=0).panel
        >>> model = ft.LAVAR(h=3, order=2, latent=2, base="last", head_epochs=0).fit(panel)
        >>> model.gates()[["part", "kept"]].values.tolist()
        [['effects', False], ['head dense', False], ['similar windows', False]]
        """
        import pandas as pd

        if self.parts_ is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        return pd.DataFrame(self.verdicts_)

    def bucket_table(self) -> pd.DataFrame:
        """Return which head each series got, and why.

        Returns
        -------
        pandas.DataFrame
            One row per series: ``target, nonzero_rate, bucket, head, why``; before them ``series`` where there are
            several entities.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=150, n_series=1, seed=0).panel
        >>> model = ft.LAVAR(h=3, order=2, latent=2, base="last", epochs=1, head_epochs=1).fit(panel)
        >>> model.bucket_table()[["bucket", "head"]].values.tolist()
        [['dense', 'delta']]
        """
        import pandas as pd

        parts = self._parts()
        assert self._fitted is not None
        n, rates = len(parts.buckets), parts.rates.ravel()
        names = [BUCKETS[k] for k in parts.buckets.ravel()]
        table = pd.DataFrame(
            {
                "target": list(parts.targets) * n,
                "nonzero_rate": rates,
                "bucket": names,
                "head": [head for heads in parts.head_names() for head in heads],
                "why": [self._why(rate, bucket) for rate, bucket in zip(rates, names, strict=True)],
            }
        )
        if n > 1:
            table.insert(0, "series", list(self._fitted.layout.series))
        return table

    def fit_heads(self, panel: Panel | Frame, until: Time | None = None, *, train_until: Time | None = None) -> LAVAR:
        """Return a LAVAR for other entities that shares this one's frozen stage 1.

        Base, latent effects and heads of the new entities begin at what this model's entities have in common, so that
        a few weeks of history are enough. The columns must be those of this model.

        Parameters
        ----------
        panel, until, train_until
            As for :meth:`fit`.

        Returns
        -------
        LAVAR

        Raises
        ------
        ConfigError
            When this model is not fitted.

        Examples
        --------
        >>> import foretide as ft
        >>> old, new = (ft.synthetic.hourly(T=150, n_series=1, seed=seed).panel for seed in (0, 1))
        >>> model = ft.LAVAR(h=3, order=2, latent=2, base="last", epochs=1, head_epochs=1).fit(old)
        >>> model.fit_heads(new).predict(new).mean.shape
        (1, 3, 1)
        """
        if self._fitted is None:
            raise ConfigError(f"{self.name} has no stage 1 to share yet. Type: model.fit(panel) first.")
        panel = self._read(panel)
        self._fitted.check(panel, self.name)
        other = self.fresh()
        other._teacher = self
        with at(None):  # what is kept of a fit knows no teacher
            other.fit(panel, until, train_until=train_until)
        other._teacher = None
        return other

    # ---------------------------------------------------------------- protocol
    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Size and memory of the latent state."""
        orders = near((3, 7, 14), 1, max(3, at.rows // 4))
        return {"latent": [2, 4, 8, 12], "order": orders}

    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the lags of the VAR, as many as were fitted."""
        return int(self.order if self.parts_ is None else self.parts_.state.model.config.order)

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that quantile heads among the heads were trained for."""
        specs = () if isinstance(self.heads, str) else self.heads
        return shared_range(route.quantile_range for spec in specs for route in routes(spec))

    def _learnable(self, part: FitPart) -> Ints:
        shared = None if self._teacher is None else self._teacher._parts().state.model.config.order
        self._lags = self._fitting_order(part, shared)
        return part.with_windows(self._lags + 1, self.h)

    def _fit(self, part: FitPart) -> None:
        from foretide.forecasters.lavar.fit import fit_parts

        teacher = None if self._teacher is None else self._teacher._parts()
        part = part if self.uses_future else replace(part, panel=without_future(part.panel))
        self.parts_, self.history, self.verdicts_ = fit_parts(self, part, self._lags, teacher)

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        from foretide.forecasters.lavar.fit import predict_parts

        panel = panel if self.uses_future else without_future(panel)
        prediction, self.interventions = predict_parts(self._parts(), panel, windows, self.h, quantiles, traces)
        return prediction

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """Everything learned that is an array."""
        return self._parts().arrays()

    def facts(self) -> dict[str, object]:
        """Everything learned that is not."""
        return {**self._parts().facts(), "history": self.history, "verdicts": self.verdicts_}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        from foretide.forecasters.lavar.parts import Parts

        self.parts_ = Parts.restore(state, facts, self.h, self.config)
        self.history, self.verdicts_ = facts["history"], facts["verdicts"]

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """Recipes of the base of each series, and what multiplies it: numbers known ahead, the latent state."""
        parts = self._parts()
        kept = {} if parts.effects is None else parts.effects.made_of()
        of_all = {"latent effects": "no", **kept}
        return joined_choices([parts.base.choices(layout.series), same_for_all(layout.series, of_all)])

    def start(self) -> Forecaster | None:
        """Return its base alone: seasonal level times holiday factors, before latent state and heads."""
        nothing: Json = {"epochs": 0, "head_epochs": 0, "effects": False}
        own = self.stages.epochs or 0, self.stages.head_epochs, self.supply.effects
        heads = self.for_counts if isinstance(self.heads, str) else self.heads
        at_base = all(route.at_base for spec in heads for route in routes(spec))
        if self.supply.base in BY_CHANCE or own == tuple(nothing.values()) or not at_base:
            return None
        return self.fresh(**nothing, alias=start_name(self))

    # ---------------------------------------------------------------- inside
    def _parts(self) -> Parts:
        assert self.parts_ is not None
        return self.parts_

    def _fitting_order(self, part: FitPart, shared: int | None) -> int:
        """Return as many of ``order`` lags as most series bear: as many windows as lags, or one at least.

        ``shared`` lags of a stage 1 stay as they are. Raises :class:`DataError` where no series has a window.
        """
        least = self.h + 1 + (1 if shared is None else shared)
        rows = np.sort(part.rows)
        rows = rows[rows >= least] if rows[-1] >= least else rows  # those too short for a window have no say
        longest, middle = int(rows[-1]), int(rows[len(rows) // 2])
        if longest < least:
            lags = "" if shared is None else f" and a stage 1 of {shared} lags"
            raise DataError(
                f"{self.name} with h={self.h}{lags} needs a series of at least {least} rows, the longest one has "
                f"{longest} in the training part. Lower h, or give longer series."
            )
        if shared is not None:
            return shared
        if middle >= self.order + 1 + self.h:
            return self.order
        order = min(self.order, max(1, (middle - self.h) // 2))
        warnings.warn(
            f"{self.name} takes {order} lags instead of {self.order}: half of the series have at most {middle} rows in "
            f"the training part, {self.h} of which are forecast. {part.without_validation}Give longer series, or lower "
            "h.",
            DataWarning,
            stacklevel=4,
        )
        return order

    def _check_heads(self) -> None:
        from foretide.heads.table import routes

        if self.heads == "auto":
            return
        if isinstance(self.heads, str) or len(self.heads) != len(BUCKETS):
            raise ConfigError(
                f"heads is 'auto' or three heads, for dense, sparse and ultra-sparse targets; got {self.heads!r}. "
                "Try heads=('delta', 'delta', 'zinb')."
            )
        for head in self.heads:
            routes(head)

    def _why(self, rate: float, bucket: str) -> str:
        dense, ultra = self.supply.dense, self.supply.ultra
        if bucket != str(buckets(rate, dense, ultra)):
            return f"the bucket of the model whose stage 1 is shared; nonzero here in {rate:.1%} of the training rows"
        if bucket == "dense":
            return f"nonzero in {rate:.1%} of the training rows, at least {dense:.1%}"
        if bucket == "ultra":
            return f"nonzero in {rate:.2%} of the training rows, at most {ultra:.2%}"
        return f"nonzero in {rate:.1%} of the training rows, between {ultra:.2%} and {dense:.1%}"

"""What the neural forecasters share: preparation, closed-form start, training, prediction, saving."""

from __future__ import annotations

import copy
import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from foretide.data.time.calendar import Calendar
from foretide.data.time.seasons import seasons_of
from foretide.data.windows import Windows
from foretide.errors import ConfigError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.choices import joined_choices, same_for_all
from foretide.forecasters.lavar.seasonal_base import SeasonalBase
from foretide.forecasters.lavar.standard_base import standard_base
from foretide.forecasters.naming import start_name
from foretide.forecasters.networks.base_level import fewer, for_new, for_start, like_demand, scaled_base
from foretide.forecasters.networks.distribution import begin_head, check_counts, training_rates, unscaled_quantiles
from foretide.forecasters.networks.flat import flat_series, is_constant
from foretide.forecasters.options import check_options
from foretide.forecasters.part import without_future
from foretide.forecasters.simple.calendar_es import CalendarSpec, calendar_of
from foretide.heads.table import HeadSpec, make_head, mask_of, resolve, routes, shared_range
from foretide.models.config import StartConfig
from foretide.models.start import Start, Tried, fit_start
from foretide.training.config import TrainingConfig
from foretide.training.placing import pick_device
from foretide.training.prepare import Preparation
from foretide.training.saved import prefixed, put_weights, rebuilt, under, weights_of
from foretide.training.widened import widened

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.models.backbone import Backbone
    from foretide.models.correction import StepCorrection
    from foretide.models.frame import Frame
    from foretide.models.inputs import Shape
    from foretide.training.followers import Followers
    from foretide.training.network import Network
    from foretide.training.store import Store, WindowBatches
    from foretide.training.watch import Epoch
    from foretide.typing import Array, Bools, Ints, Json, Reals

PREDICT_BATCH = 128
BEGIN_WINDOWS = 4_000
"""Training windows that a backbone may look at before its first step."""
CYCLE_DAYS = {"minute": 1, "hour": 1, "monthday": 31, "month": 366, "quarter": 366, "yearday": 366}


class NeuralForecaster(Forecaster):
    """A network trained on windows from a closed-form start.

    Parameters
    ----------
    h : int
        Steps to forecast.
    input_size : int
        Steps looked back at.
    head : str or dict
        What is predicted and under which loss. Points, with intervals from the errors on validation: ``"point"``
        (squared error), ``"absolute"``, ``"huber"``, ``"delta"``; distributions: ``"gaussian"``, ``"student_t"``,
        ``"quantile"``; of counts: ``"poisson"``, ``"nb"``, ``"zinb"``, ``"hurdle"``. Options in a dict,
        ``{"name": "quantile", "levels": [0.1, 0.5, 0.9]}``; several targets by head, ``{"nb": ["beds"], "point":
        ["cost"]}``.
    seasons : sequence of float, optional
        Periods in steps; found from the frequency by default.
    calendar : Calendar, dict, "auto" or None
        Calendar features known ahead; "auto" takes those of the frequency, without holidays.
    seed : int
        Same seed, machine and thread count: same weights to the bit.
    alias : str, optional
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.
    """

    uses_validation, spares_validation = True, True
    can_warm_start = True
    knows_ids, uses_future = True, True
    neural, watched, needs_future, forgets = True, True, True, "inside"
    needs = "torch"
    exports = "foretide.forecasters.onnx.network:NetworkGraph"
    configs: ClassVar[tuple[type, ...]] = (TrainingConfig, StartConfig)
    """Beside these two, or ones derived from them, a subclass names the dataclass of its own settings, the last."""

    def __init__(
        self,
        h: int,
        *,
        input_size: int = 60,
        head: HeadSpec = "point",
        seasons: Sequence[float] | None = None,
        calendar: CalendarSpec | str = "auto",
        seed: int = 0,
        alias: str | None = None,
        device: str = "auto",
        **options: object,
    ) -> None:
        super().__init__(h, alias=alias)
        if not isinstance(input_size, (int, np.integer)) or input_size < 2:
            raise ConfigError(f"input_size is a number of steps, at least 2; got {input_size!r}.")
        self.input_size, self.head, self.seed = int(input_size), head, seed
        self.lookback_ = self.input_size
        """Steps looked back at: ``input_size``, or fewer where the series of the last fit were too short for more."""
        routes(head)  # refuses an unknown one now
        self.seasons = None if seasons is None else tuple(seasons)
        self.calendar = calendar if isinstance(calendar, str) else calendar_of(calendar)
        self.device = device
        check_options(options, self.configs, self._named())
        self.training: TrainingConfig = rebuilt(self.configs[0], options)
        self.start_config: StartConfig = rebuilt(self.configs[1], options)
        self.config: Any = rebuilt(self.configs[-1], options)
        named = self._named()
        self._options = {name: value for name, value in options.items() if name not in named}
        self._tried: list[Tried] = []
        self.history: list[Epoch] = []
        self.best_epoch = 0
        self.closed_form: Start | None = None
        self.network: Network | None = None
        self.preparation: Preparation | None = None
        self.base: SeasonalBase | None = None
        """What stands in the place of the window's level where the start is ``level="base"``."""
        self._targets: tuple[str, ...] = ()
        self._flat: frozenset[str] = frozenset()

    # ---------------------------------------------------------------- what a model gives
    @abstractmethod
    def _backbone(self, frame: Frame, shape: Shape) -> Backbone:
        """Build the backbone."""

    # ---------------------------------------------------------------- protocol
    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff: the lookback."""
        return self.lookback_

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on: the lookback, more where known-future columns are averaged
        over steps before it; all where a base is corrected.
        """
        if self.base is not None or self.start_config.level == "base":
            return None
        trails = () if self.preparation is None else self.preparation.trails
        return self.lookback_ + max((int(span) - 1 for span in trails), default=0)

    @property
    def has_distribution(self) -> bool:  # type: ignore[override]  # depends on the head
        """Whether some target has a predictive distribution of its own."""
        return any(route.cls.has_distribution for route in routes(self.head))

    def _points(self, targets: tuple[str, ...]) -> Bools:
        return ~mask_of(resolve(self.head, targets), len(targets), "has_distribution")

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that a quantile head was trained for."""
        return shared_range(route.quantile_range for route in routes(self.head))

    def _learnable(self, part: FitPart) -> Ints:
        self.lookback_ = part.lookback(self.name, self.input_size, self.h)
        return part.with_windows(self.lookback_, self.h)

    def _fit(self, part: FitPart) -> None:
        from foretide.training.joined import others

        device = pick_device(self.device)
        with others(self.training.devices if self.training.epochs else 1, device) as followers:
            self._train(part, device, followers)

    def _train(self, part: FitPart, device: torch.device, followers: Followers | None) -> None:
        from foretide.seeding import seeded_init, torch_generator
        from foretide.training.network_training import train_network
        from foretide.training.progress import epoch_bar
        from foretide.training.store import Store

        part = part if self.uses_future else replace(part, panel=without_future(part.panel))
        panel = part.panel
        windows = part.windows(input_size=self.lookback_, h=self.h)
        calendar = self._calendar(part.train)
        found, self._targets = resolve(self.head, panel.targets), panel.targets
        check_counts(panel, found)
        self._flat = flat_series(part.train)
        self.preparation = Preparation.fit(part.train, calendar, mask_of(found, panel.n_targets, "uncentred"))
        store = Store(panel, self.preparation, input_size=self.lookback_, h=self.h, device=device)
        start, batches, val_batches = self._find_start(store, windows, part)
        del windows  # as many numbers as the table of a long series has
        self.closed_form, shape = start, self._shape(panel)
        by_step = self._correction(start, shape, (batches, val_batches))
        with seeded_init(self.seed), epoch_bar(self.name, self.training.epochs) as on_epoch:
            self.network = network = self._build(start, shape).to(device)
            network.backbone.frame.correction = by_step
            for some in (batches, val_batches):
                some.take_effect(network.backbone.frame)
            rates = training_rates(part.train, self.preparation)
            points = network.points() if self.training.fit_mean_first else None
            if points is None:
                begin_head(network, batches, val_batches, rates)
            if self.training.epochs:
                network.backbone.begin(*batches.spread(BEGIN_WINDOWS))
            network.take_over({k.removeprefix("network."): v for k, v in self._former.items()})
            trained = network if points is None else points
            history = train_network(
                trained, batches, val_batches if len(val_batches) else None, self._schedule(len(val_batches)),
                groups=trained.groups(self.training.lr, self.training.start_lr, self.training.weight_decay),
                generator=torch_generator(self.seed), on_epoch=on_epoch, followers=followers,
            )  # fmt: skip
            network.backbone.settle()
            if points is not None:
                begin_head(network, batches, val_batches, rates, points)
            if start.later is not None:
                network.backbone.frame.shift(start, start.later)
        self.history, self.best_epoch = history.epochs, history.best_epoch
        tried = start.tried
        self._tried = [start.chosen, *(t for t in tried if t is not start.chosen)] if tried else []

    def _early(self, part: FitPart, rows: Ints) -> tuple[Forecaster, Ints]:
        """Return itself before the start was estimated on the validation part too: its errors there are honest."""
        start = self.closed_form
        if start is None or start.later is None or self.network is None:
            return self, part.train_rows
        early = copy.copy(self)
        early.network = copy.deepcopy(self.network)
        early.network.backbone.frame.shift(start.later, start)
        return early, part.train_rows

    def _woken(self, panel: Panel, windows: Windows) -> Bools:
        """Series that never moved in training and do in the window: scale and spread are not those they had."""
        found = np.zeros(len(windows), dtype=bool)
        for k, (i, cutoff) in enumerate(zip(windows.entity, windows.cutoff, strict=True)):
            if panel.ids[i] in self._flat:
                low = max(0, cutoff + 1 - self.lookback_)
                found[k] = not is_constant(panel.rows(int(i))[low : cutoff + 1, : panel.n_targets])
        return found

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        import torch

        panel = panel if self.uses_future else without_future(panel)
        network, preparation, base = self._parts_for(panel)
        batches = _batches(network, preparation, base, panel, windows, self.lookback_, self.h)
        mean = np.empty((len(windows), self.h, panel.n_targets), dtype=np.float32)
        bounds = np.empty((*mean.shape, len(quantiles)), dtype=np.float64) if quantiles else None
        kept: dict[str, list[Reals]] = {name: [] for name in traces}
        with torch.inference_mode():
            for place, chosen in in_batches(batches):
                distribution, found = network(batches.inputs(chosen))
                mean[place] = distribution.mean().cpu().numpy()
                found_quantiles = distribution.quantiles(quantiles) if bounds is not None else None
                if bounds is not None and found_quantiles is not None:
                    bounds[place] = found_quantiles.cpu().numpy()
                for name in traces:
                    kept[name].append(found[name].cpu().numpy())
        extras = {name: np.concatenate(parts) for name, parts in kept.items()}
        if bounds is not None:
            counts = mask_of(resolve(self.head, panel.targets), panel.n_targets, "counts")
            bounds = unscaled_quantiles(preparation, panel, windows.entity, bounds, counts)
        return Prediction(preparation.unscale(panel, windows.entity, mean), bounds, extras)

    # ---------------------------------------------------------------- for those who look inside
    def window_batches(self, panel: Panel, windows: Windows) -> WindowBatches:
        """Return the windows of a panel as the network reads them, and put the network into its state for use.

        :func:`in_batches` goes over them. Rows after a cutoff are read by ``WindowBatches.batch`` only (the truth).

        Parameters
        ----------
        panel : Panel
        windows : Windows
            Origins in the panel.

        Returns
        -------
        WindowBatches
        """
        view = self.view(panel, windows)
        seen = view.panel if self.uses_future else without_future(view.panel)
        return _batches(*self._parts(), self.base, seen, view.windows, self.lookback_, self.h)

    # ---------------------------------------------------------------- saving
    def state(self) -> dict[str, Array]:
        """Network parameters and scales."""
        network, preparation = self._parts()
        base = {} if self.base is None else self.base.arrays()
        return {**prefixed("network.", weights_of(network)), **preparation.arrays(), **base}

    def facts(self) -> dict[str, object]:
        """Sizes, the frame's structure, calendar, history."""
        network, preparation = self._parts()
        return {
            "shape": dataclasses.asdict(network.backbone.shape),
            "structure": network.backbone.frame.structure(),
            "begun": network.backbone.begun(),
            "ids": list(preparation.ids),
            "targets": list(self._targets),
            "flat": sorted(self._flat),
            "calendar": preparation.calendar.to_dict() if preparation.calendar else None,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "start": self.start_report(),
            "base": None if self.base is None else self.base.facts(),
        }

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild the network from :meth:`state` and :meth:`facts`."""
        from foretide.models.frame import empty_start
        from foretide.models.inputs import Shape
        from foretide.seeding import seeded_init

        calendar = Calendar.from_dict(facts["calendar"]) if facts["calendar"] else None
        self.preparation = Preparation.from_arrays(state, tuple(facts["ids"]), calendar)
        self._targets = tuple(facts.get("targets", ()))
        self._flat = frozenset(facts.get("flat", ()))
        self.lookback_ = int(facts["shape"]["input_size"])
        self.base = SeasonalBase.restore(state, facts["base"]) if facts.get("base") else None
        weights = under("network.", state)
        start = empty_start(facts["structure"], weights, "backbone.frame.")
        with seeded_init(self.seed):
            self.network = self._build(start, Shape(**facts["shape"]))
            self.network.backbone.frame.take_structure(facts["structure"])
            self.network.backbone.begin_again(facts.get("begun", {}))
        put_weights(self.network, weights)
        self.network.to(pick_device(self.device)).eval()
        self.history, self.best_epoch, self._tried = facts["history"], facts["best_epoch"], facts["start"]

    def start_report(self) -> list[Tried]:
        """What the closed-form start tried, with validation errors, the chosen combination first.

        Returns
        -------
        list of dict
            One per combination: what it takes, and its error on validation; empty before fit and without a start.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.LSTM(h=24).start_report()
        []
        """
        return self._tried

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """What its closed-form start took, the combination with the least error on validation, and a base's recipes."""
        taken = {name: value for name, value in self._tried[0].items() if name != "val_mse"} if self._tried else {}
        known = {name: value for name, value in taken.items() if value == value}  # a start without a map has no penalty
        start = same_for_all(layout.series, {f"start: {name}": value for name, value in known.items()})
        return start if self.base is None else joined_choices([start, self.base.choices(layout.series)])

    def start(self) -> Forecaster | None:
        """Return the network before its first step: season, level and linear map, under the head's first spread."""
        if not self.training.epochs or self.start_config.nothing or not all(r.at_base for r in routes(self.head)):
            return None
        learned = {f.name for f in dataclasses.fields(TrainingConfig)} | {"seed", "alias"}
        kept: Json = {name: value for name, value in self.settings().items() if name not in learned}
        return type(self)(**kept, epochs=0, alias=start_name(self))

    # ---------------------------------------------------------------- parts
    def _parts(self) -> tuple[Network, Preparation]:
        assert self.network is not None
        assert self.preparation is not None
        return self.network, self.preparation

    def _parts_for(self, panel: Panel) -> tuple[Network, Preparation, SeasonalBase | None]:
        """Network, preparation and base for a panel of fitted entities, or of new ones, each with its own scales."""
        network, preparation = self._parts()
        if not panel.n_entities or panel.ids[0] in preparation.ids:
            return network, preparation, self.base
        own = preparation.for_new(panel, mask_of(resolve(self.head, panel.targets), panel.n_targets, "uncentred"))
        moving = np.array([name not in self._flat for name in preparation.ids])
        base = None if self.base is None else for_new(self.base, panel)
        return network.for_new(own.scale[:, : panel.n_targets], moving), own, base

    def _calendar(self, train: Panel) -> Calendar | None:
        if self.calendar == "auto":
            return covered_calendar(train)
        if isinstance(self.calendar, str):
            raise ConfigError(f"calendar is 'auto', None or a foretide Calendar, got {self.calendar!r}.")
        return self.calendar

    def _shape(self, panel: Panel) -> Shape:
        from foretide.models.inputs import Shape

        assert self.preparation is not None
        n_static = len(panel.static.names)
        channels = len(panel.targets) + len(panel.past)
        return Shape(self.lookback_, self.h, panel.n_targets, channels, self.preparation.n_known(panel), n_static)

    def _build(self, start: Start, shape: Shape) -> Network:
        import torch

        from foretide.heads.base import HeadShape
        from foretide.models.frame import Frame
        from foretide.training.network import Network

        assert self.preparation is not None
        backbone = self._backbone(Frame(start, shape), shape)
        sizes = HeadShape(backbone.features, shape.targets, shape.h, len(self.preparation.ids))
        unit = torch.as_tensor(self.preparation.scale[:, : shape.targets], dtype=torch.float32)
        return Network(backbone, make_head(self.head, sizes, self._targets), unit)

    def _find_start(
        self, store: Store, windows: tuple[Windows, Windows], part: FitPart
    ) -> tuple[Start, WindowBatches, WindowBatches]:
        """Return the start and the training and validation windows to learn from; keep the base it takes."""
        from foretide.training.store import Store, WindowBatches

        assert self.preparation is not None
        panel, config, preparation = store.panel, self.start_config, self.preparation
        series = preparation.series(panel, store.array, store.future_array, store.calendar, part.train_rows)
        seasons = self._seasons(panel)
        wide = None
        if panel.future and config.closed_form and config.known != "off":
            wide = widened(preparation, series, panel, self.h, seasons)
        base = None
        if config.level == "base" or (config.tries_base and like_demand(part.train)):
            base = standard_base(part.train, self.h, self.seasons, calendar=self.calendar)
            windows = fewer(windows[0], self.h, panel.n_targets), fewer(windows[1], self.h, panel.n_targets)
        ahead = [] if base is None else [
            scaled_base(base, panel, some, self.h, preparation, learning=True) for some in windows
        ]  # fmt: skip
        start = fit_start(
            series, store.rows(windows[0]), store.rows(windows[1]),
            input_size=self.lookback_, h=self.h, seasons=seasons, config=config,
            base=None if base is None else for_start(store, windows, ahead),
            wide=None if wide is None else wide[1],
            lengths=np.minimum(panel.length, panel.observed) if config.refit and len(windows[1]) else None,
        )  # fmt: skip
        if wide is not None and start.basis is not None:
            self.preparation = wide[0]
            store = Store(panel, self.preparation, input_size=self.lookback_, h=self.h, device=store.device)
        self.base = base if start.level == "base" else None
        bases = ahead if self.base is not None else (None, None)
        train, validation = (WindowBatches(store, *both) for both in zip(windows, bases, strict=True))
        return start, train, validation

    def _correction(
        self, start: Start, shape: Shape, windows: tuple[WindowBatches, WindowBatches]
    ) -> StepCorrection | None:
        """What each step of the horizon is corrected by, before a network looks at whole windows."""
        from foretide.training.step_correction import find_correction

        if self.start_config.nothing or not self.training.by_step:
            return None
        seasons = self._seasons(windows[0].store.panel)
        return find_correction(start, shape, windows, seasons, self.training, self.seed)

    def _seasons(self, panel: Panel) -> Sequence[float]:
        return self.seasons if self.seasons is not None else seasons_of(panel.grid.freq)

    def _schedule(self, n_validation: int) -> TrainingConfig:
        """Without windows to judge by, a network stays at its base: what nothing rewards does harm as often."""
        return self.training if n_validation or self.base is None else replace(self.training, epochs=0)


def _batches(
    network: Network, preparation: Preparation, base: SeasonalBase | None, panel: Panel, windows: Windows,
    input_size: int, h: int,
) -> WindowBatches:  # fmt: skip
    from foretide.training.store import Store, WindowBatches

    if network.training:  # which goes through all its modules
        network.eval()
    device = next(network.parameters()).device
    ahead = None if base is None else scaled_base(base, panel, windows, h, preparation)
    batches = WindowBatches(Store(panel, preparation, input_size=input_size, h=h, device=device), windows, ahead)
    batches.take_effect(network.backbone.frame)
    return batches


def in_batches(batches: WindowBatches, size: int = PREDICT_BATCH) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield the places of the windows and their numbers ``[B]``, at most ``size`` at a time, in order."""
    import torch

    for chosen in torch.split(torch.arange(len(batches), device=batches.store.device), size):
        if len(chosen):
            yield slice(int(chosen[0]), int(chosen[-1]) + 1), chosen


def covered_calendar(panel: Panel) -> Calendar | None:
    """Calendar features of the panel's frequency whose cycle its longest series holds at least twice.

    A year seen once is not a season: its feature would be a trend in disguise.
    """
    if panel.grid.is_integer:
        return None
    times = panel.grid.times([0, int(panel.observed.max())])
    days = (times[1] - times[0]).days
    features = tuple(f for f in Calendar.for_freq(panel.grid.freq).features if days >= 2 * CYCLE_DAYS.get(f, 7))
    return Calendar(features) if features else None

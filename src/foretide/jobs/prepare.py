"""From a configuration to a panel, its parts, and what is known about the truth."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from foretide.data.counts import count_like
from foretide.data.panel import Panel
from foretide.data.splits import Split, split, split_at
from foretide.data.tables.form import Form
from foretide.errors import ConfigError, nearest
from foretide.evaluation.cards.align import oracle_forecast
from foretide.jobs.config import READING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from foretide.data.time.calendar import Calendar
    from foretide.data.windows import Windows
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.config import Config
    from foretide.jobs.sections import CalendarConfig, DataConfig, SyntheticConfig


@dataclass(frozen=True)
class Prepared:
    """What a run works on.

    Attributes
    ----------
    panel : Panel
    split : Split
    truth : object or None
        Of a synthetic series: has ``oracle(cutoffs, h)``.
    """

    panel: Panel
    split: Split
    truth: Any = None

    @cached_property
    def counts(self) -> bool:
        """Whether every target is treated as a count, by its training part."""
        return bool(count_like(self.train).all())

    @cached_property
    def train(self) -> Panel:
        """The training part."""
        return self.panel.head(self.split.rows(self.panel)[0])

    @cached_property
    def known(self) -> Panel:
        """Training and validation part: what models are fitted on."""
        return self.panel.head(self.split.rows(self.panel)[1])

    @property
    def train_until(self) -> Any:
        """Where validation begins; None where every series keeps back its own last rows."""
        first, last = self.panel.first, self.panel.first + self.panel.observed - 1
        shared = (first <= self.split.train_end) & (last >= self.split.val_end)
        return self.split.train_until if self.split.own is None and shared.all() else None

    def oracle(self, windows: Windows, h: int, levels: Sequence[float], quantiles: Sequence[float]) -> Forecast | None:
        """Return the best forecast possible from ``windows``, with quantiles where known; None for real data."""
        return oracle_forecast(self.truth, self.panel, windows, h, levels, quantiles)

    def test_windows(self, *, input_size: int, h: int, stride: int) -> Windows:
        """Every window whose targets lie wholly in the test part."""
        found = self.split.windows(self.panel, "test", input_size=input_size, h=h, stride=stride)
        if not len(found):
            steps = self.split.sizes[2]
            raise ConfigError(
                f"No test window: the test part has {steps} steps, a window needs {h} of them and "
                f"{input_size} before it. Lower h or input_size, or give the test part more (split)."
            )
        return found


def prepare(config: Config) -> Prepared:
    """Read or make the data and split it."""
    panel, truth = prepare_panel(config)
    return Prepared(panel, _split(panel, config), truth)


def prepare_panel(config: Config) -> tuple[Panel, Any]:
    """Read or make the data; return the panel and, of a synthetic series, its truth."""
    data = config.data
    if data.synthetic is not None:
        made = make_synthetic(data.synthetic)
        panel, truth = made.panel, made.truth
    else:
        panel, truth = read_panel(data), None
    if data.first is not None or data.last is not None:
        panel = between(panel, data.first, data.last)
    return panel, truth


def read_options(data: DataConfig) -> dict[str, Any]:
    """Return how a table of this configuration is read, as keyword arguments of :meth:`Panel.read`."""
    names = ("id", "time", "target", "past", "future", "static", *READING)
    options = {name: getattr(data, name) for name in names}
    if data.id is None:
        options.pop("id")
        options.pop("static")
        if data.static:
            raise ConfigError("data.static: columns that describe entities need an id column, data.id.")
    return options


def read_panel(data: DataConfig) -> Panel:
    """Read the table of a configuration."""
    return Panel.read(str(data.path), **read_options(data))


def read_another(data: DataConfig, path: str, given: Mapping[str, Any]) -> Panel:
    """Read another table of the same columns.

    How its text is written is found anew; the form of the first table decides only where that leaves a choice.

    Parameters
    ----------
    data : DataConfig
    path : str
    given : mapping
        Options of reading that hold for this table.
    """
    form = Form(**{f.name: getattr(data, f.name) for f in fields(Form)})
    options = {**read_options(data), **dict.fromkeys(f.name for f in fields(Form)), **given}
    return Panel.read(path, **options, likely=form)


def tell(panel: Panel, say: Callable[[str], object]) -> None:
    """Say how the table was read, where it was, and what is in it."""
    if panel.origin is not None:
        say(panel.origin.text())
    say(repr(panel))


def with_form(config: Config, panel: Panel) -> Config:
    """Return the configuration with the form that its table was found to have, for other tables of the kind."""
    if panel.origin is None:
        return config
    found = {k: v for k, v in asdict(panel.origin.form).items() if v is not None}
    return config.model_copy(update={"data": config.data.model_copy(update=found)})


def make_synthetic(config: SyntheticConfig) -> Any:
    """Call a generator; an unknown argument gets the nearest known one."""
    from foretide.data import synthetic

    maker = getattr(synthetic, config.generator)
    known = inspect.signature(maker).parameters
    for key in config.args:
        if key not in known:
            raise ConfigError(
                f"data.synthetic.args.{key}: {config.generator} has no such argument. {nearest(key, known)}"
            )
    return maker(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.args.items()})


def make_calendar(config: CalendarConfig, freq: str | int) -> Calendar | None:
    """Return the calendar features of a run, None where time has no calendar or none is wanted."""
    from foretide.data.time.calendar import Calendar

    if not config.use or isinstance(freq, int):
        return None
    country: Any = config.country
    if config.subdivision is not None:
        country = (config.country, config.subdivision)
    if config.features is not None:
        return Calendar(features=config.features, country=country)
    return Calendar.for_freq(freq, country=country)


def between(panel: Panel, first: Any, last: Any) -> Panel:
    """Return the rows of a panel from ``first`` to ``last``, both included, sharing the values."""
    if last is not None:
        panel = panel.until(last)
    return panel if first is None else panel.since(first)


def _split(panel: Panel, whole: Config) -> Split:
    config = whole.split
    if config.train_until is not None:
        return split_at(panel, train_until=config.train_until, val_until=config.val_until, h=whole.h)
    return split(panel, fractions=config.fractions, h=whole.h)

"""From a configuration to a panel, its parts, and what is known about the truth."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

from foretide.data.counts import count_like
from foretide.data.panel import Panel
from foretide.data.splits import Split, split, split_at
from foretide.data.tables.form import Form
from foretide.data.tables.source import holds_files
from foretide.errors import ConfigError, ForetideError, nearest
from foretide.jobs.sections import READING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from foretide.data.synthetic.base import Synthetic, Truth
    from foretide.data.time.calendar import Calendar
    from foretide.jobs.config import Config
    from foretide.jobs.sections import CalendarConfig, DataConfig, SyntheticConfig
    from foretide.typing import Json, Time


@dataclass(frozen=True)
class Prepared:
    """What a job works on.

    Attributes
    ----------
    panel : Panel
    config : Config
    truth : Truth, optional
        Of a synthetic series.
    """

    panel: Panel
    config: Config
    truth: Truth | None = None

    @cached_property
    def split(self) -> Split:
        """The parts of the data: by fractions, or by times where the configuration gives them."""
        parts, h = self.config.split, self.config.h
        if parts.train_until is not None:
            return split_at(self.panel, train_until=parts.train_until, val_until=parts.val_until, h=h)
        return split(self.panel, fractions=parts.fractions, h=h)

    @cached_property
    def known(self) -> Panel:
        """Training and validation part: what models are fitted on."""
        return self.panel.head(self.split.rows(self.panel)[1])

    @cached_property
    def counts(self) -> bool:
        """Whether every target is treated as a count, by what models are fitted on."""
        return bool(count_like(self.known).all())

    @property
    def calendar(self) -> Calendar | None:
        """Calendar features; None where time has no calendar or none is wanted."""
        return make_calendar(self.config.calendar, self.panel.grid.freq)


def prepare(config: Config) -> Prepared:
    """Read or make the data; they are split when the parts are first asked for.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Prepared
    """
    panel, truth = prepare_panel(config)
    return Prepared(panel, config, truth)


def prepare_panel(config: Config) -> tuple[Panel, Truth | None]:
    """Read or make the data; return the panel and, of a synthetic series, its truth.

    Parameters
    ----------
    config : Config

    Returns
    -------
    tuple[Panel, Truth or None]
    """
    data = config.data
    if data.synthetic is not None:
        made = make_synthetic(data.synthetic)
        panel, truth = made.panel, made.truth
    else:
        panel, truth = read_panel(data), None
    if data.first is not None or data.last is not None:
        panel = between(panel, data.first, data.last)
    return panel, truth


def read_panel(data: DataConfig, path: str | None = None, given: Mapping[str, object] | None = None) -> Panel:
    """Read the table of a configuration, or another one of the same columns.

    How the text of another one is written is found anew; the form of the first table decides only where that leaves a
    choice.

    Parameters
    ----------
    data : DataConfig
    path : str, optional
        Of another table.
    given : mapping, optional
        Options of reading that hold for the other table.

    Returns
    -------
    Panel

    Raises
    ------
    ConfigError, DataError
        Where the table does not fit the configuration.
    """
    columns = ("time", "target", "past", "future", *(() if data.id is None else ("id", "static")))
    if data.id is None and data.static:
        raise ConfigError("data.static: columns that describe entities need an id column, data.id.")
    options: Json = {name: getattr(data, name) for name in (*columns, *READING)}
    if holds_files(path or str(data.path)):
        return Panel.open(path or str(data.path), **{**options, **(given or {})})
    if path is None:
        return Panel.read(str(data.path), **options)
    form = {f.name: getattr(data, f.name) for f in fields(Form)}
    return Panel.read(path, **{**options, **dict.fromkeys(form), **(given or {}), "likely": Form(**form)})


def tell(panel: Panel, say: Callable[[str], object]) -> None:
    """Say how the table was read, where it was, and what is in it.

    Parameters
    ----------
    panel : Panel
    say : callable
        Gets one line of text.
    """
    if panel.origin is not None:
        say(panel.origin.text())
    say(repr(panel))


def with_form(config: Config, panel: Panel) -> Config:
    """Return the configuration with the form that its table was found to have, for other tables of the kind.

    Parameters
    ----------
    config : Config
    panel : Panel

    Returns
    -------
    Config
    """
    if panel.origin is None:
        return config
    found = {k: v for k, v in asdict(panel.origin.form).items() if v is not None}
    return config.model_copy(update={"data": config.data.model_copy(update=found)})


def make_synthetic(config: SyntheticConfig) -> Synthetic[Truth]:
    """Call a generator; an unknown argument gets the nearest known one.

    Parameters
    ----------
    config : SyntheticConfig

    Returns
    -------
    Synthetic[Truth]
    """
    from foretide.data import synthetic

    maker = getattr(synthetic, config.generator)
    known = inspect.signature(maker).parameters
    for key in config.args:
        if key not in known:
            raise ConfigError(
                f"data.synthetic.args.{key}: {config.generator} has no such argument. {nearest(key, known)}"
            )
    try:
        made: Synthetic[Truth] = maker(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.args.items()})
    except ForetideError:
        raise
    except (MemoryError, OverflowError, TypeError, ValueError) as error:
        raise ConfigError(
            f"data.synthetic.args: {config.generator} makes nothing of them ({error}). Ask for fewer rows and series, "
            "and for what its documentation shows."
        ) from error
    return made


def make_calendar(config: CalendarConfig, freq: str | int) -> Calendar | None:
    """Return the calendar features of a run, None where time has no calendar or none is wanted.

    Parameters
    ----------
    config : CalendarConfig
    freq : str or int

    Returns
    -------
    Calendar or None
    """
    from foretide.data.time.calendar import Calendar

    if not config.use or isinstance(freq, int):
        return None
    country: str | tuple[str, str] | None = config.country
    if config.country is not None and config.subdivision is not None:
        country = (config.country, config.subdivision)
    if config.features is not None:
        return Calendar(features=config.features, country=country)
    return Calendar.for_freq(freq, country=country)


def between(panel: Panel, first: Time | None, last: Time | None) -> Panel:
    """Return the rows of a panel from ``first`` to ``last``, both included, sharing the values.

    Parameters
    ----------
    panel : Panel
    first : Time or None
    last : Time or None

    Returns
    -------
    Panel
    """
    if last is not None:
        panel = panel.until(last)
    return panel if first is None else panel.since(first)

"""What a forecaster says of itself: by class attributes, and by its settings."""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias

from foretide.data.time.calendar import Calendar
from foretide.errors import FOREIGN
from foretide.forecasters.options import READING, check_foreign, default_of, other_parameters, own_parameters

if TYPE_CHECKING:
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.sizes import Sizes, SpaceEntry
    from foretide.typing import Json

DefaultFor: TypeAlias = Literal["never", "always", "counts", "seasonal counts"]


class Declared(ABC):
    """What is known of a forecaster without fitting it; tables, runs, searches and tests ask here."""

    default_for: ClassVar[DefaultFor] = "never"
    """For which data it is in every run and backtest by default; ``"seasonal counts"``: counts with a season."""
    needs: ClassVar[str | None] = None
    """The package that it cannot do without: PyTorch, or one of an extra (``baselines``, ``boost``)."""
    quick: ClassVar[Mapping[str, object]] = {}
    """Settings for a quick try, with which it is tested, too."""
    configs: ClassVar[tuple[type, ...]] = ()
    """Frozen dataclasses whose fields are settings too, given as ``**options``."""
    unshared: ClassVar[tuple[str, ...]] = ()
    """Settings that are its own even where a run gives all its models the same, such as a calendar."""
    former: ClassVar[Mapping[str, str]] = {}
    """Former name of a setting -> its name; taken with a warning."""
    learned: ClassVar[tuple[str, ...]] = ()
    """Attributes that ``fit`` sets and that are saved: in ``state`` (arrays) or ``facts``, without a final ``_``."""
    forgets: ClassVar[Literal["never", "inside", "always"]] = "never"
    """Whether ``fit`` leaves what is not saved and is asked for later: ``"inside"``: by forecasters around it only."""
    has_distribution: bool = False
    """Whether it has a predictive distribution of its own; others get that of their past errors."""
    spares_validation: bool = False
    """Whether the steps kept aside for validation are none that it has learned from: its errors there are honest."""
    past_origins: int = 60
    """Past forecasts, for intervals, are made from at most so many origins of a series; fewer of what is slow."""
    pretrained: ClassVar[bool] = False
    """Whether it was trained on other series, and learns little or nothing from those that it is fitted to."""
    one_by_one: ClassVar[bool] = False
    """Whether it goes through series and windows one after the other, so that many of them take long."""
    baseline: bool = False
    """Whether skill is measured against it; a wrapper around one forecaster is what that one is."""
    neural: bool = False
    """Whether it is a neural network, or holds one."""
    explains: ClassVar[tuple[str, ...]] = ()
    """What it says besides its inputs: ``"attention"``, ``"latent"``."""
    nests: ClassVar[str | None] = None
    """Setting that names the forecasters inside, for one that is made of others."""
    watched: ClassVar[bool] = False
    """Whether a search can follow its validation error epoch by epoch, and stop a bad trial."""
    uses_validation: bool = False
    """Whether ``fit`` keeps the end of its part aside to choose settings or to stop early."""
    can_warm_start: ClassVar[bool] = False
    """Whether ``fit(..., warm_start=True)`` can begin at what an earlier fit learned."""
    knows_ids: ClassVar[bool] = False
    """Whether something of what it learned belongs to single series, by their ids."""
    accepts_new_ids: bool = True
    """Whether it forecasts series that were not there at fit; otherwise a stand-in does."""
    traces_by_target: ClassVar[tuple[str, ...]] = ()
    """Names in ``Forecast.extras`` of arrays whose last axis are the targets."""
    uses_future: bool = False
    """Whether known-future columns enter the forecast."""
    reads_others: bool = False
    """Whether a forecast depends on the other series of its table; one around others does where one of these does."""

    def __new__(cls, *_: object, **settings: object) -> Self:
        """Answer to settings by the names that other libraries have for them, before Python says what is missing."""
        if not {*FOREIGN, *READING}.isdisjoint(settings) and not cls.takes_any():
            check_foreign(cls.__name__, settings, (*cls.parameters(), *cls.former))
        return super().__new__(cls)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "configs" in cls.__dict__ and "__doc__" in cls.__dict__ and cls.__doc__:
            cls.__doc__ = inspect.cleandoc(cls.__doc__) + "\n" + other_parameters(cls.configs, own_parameters(cls)[0])

    alias: str | None = None
    """Name of the model in frames and tables; the class name by default."""
    _options: dict[str, object]
    """Those that were given."""

    @property
    def step_axis(self) -> Mapping[str, int]:
        """Name in ``Forecast.extras`` -> the axis of its steps, where that is not the second one."""
        return {}

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or type(self).__name__

    def fresh(self, **changes: object) -> Self:
        """Return an unfitted forecaster with the same settings, but for those given.

        Parameters
        ----------
        **changes
            Settings that are to differ.

        Returns
        -------
        Forecaster

        Examples
        --------
        >>> import foretide as ft
        >>> ft.SeasonalNaive(h=7, season=7).fresh(season=14)
        SeasonalNaive(h=7, season=14)
        """
        given: Json = {**self.settings(), **changes}
        return type(self)(**given)

    def start(self) -> Forecaster | None:
        """Return an unfitted forecaster that stops where this one begins to learn step by step.

        A network that begins at a solution in closed form is compared with that solution, called ``<name>-start``: what
        lies between the two is what its training added.

        Returns
        -------
        Forecaster or None
            None for a forecaster that begins at no such solution, or is one.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.LSTM(h=24, hidden=32).start().name, ft.SeasonalES(h=24).start()
        ('LSTM-start', None)
        """
        return None

    @property
    def _country(self) -> str | tuple[str, str] | None:
        """Whose public holidays its calendar knows; None without one."""
        calendar = getattr(self, "calendar", None)
        return calendar.country if isinstance(calendar, Calendar) else None

    @classmethod
    def parameters(cls) -> dict[str, object]:
        """Return every setting that the constructor takes, options included, and its default.

        Returns
        -------
        dict
            :data:`foretide.forecasters.options.REQUIRED` in place of a default where there is none.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Attention.parameters()["epochs"]
        60
        """
        named = cls._named()
        more = (f for config in cls.configs for f in dataclasses.fields(config) if f.name not in named)
        return {**named, **{f.name: default_of(f) for f in more}}

    @classmethod
    def _named(cls) -> dict[str, object]:
        """The settings that the constructor names, and their defaults."""
        return {name: default for name, default in own_parameters(cls)[0].items() if name not in cls.former}

    @classmethod
    def takes_any(cls) -> bool:
        """Whether its constructor takes settings by any name.

        Returns
        -------
        bool

        Examples
        --------
        >>> import foretide as ft
        >>> ft.Attention.takes_any()
        False
        """
        return own_parameters(cls)[1] and not cls.configs

    @classmethod
    def search_space(cls, at: Sizes) -> dict[str, SpaceEntry]:
        """Return what :func:`foretide.tune` chooses from unless it is told otherwise, in its own notation.

        Parameters
        ----------
        at : Sizes
            What the space may depend on.

        Returns
        -------
        dict
            Setting -> list of options, or range ``(low, high)``, or ``(low, high, "log")``; empty for a forecaster
            without settings worth a search.

        Examples
        --------
        >>> import foretide as ft
        >>> from foretide.forecasters.sizes import Sizes
        >>> ft.SeasonalES.search_space(Sizes(rows=400, h=7, seasons=(7,)))
        {'alpha': (0.01, 0.95, 'log')}
        """
        return {}

    def settings(self) -> dict[str, object]:
        """The constructor's arguments by name, as a file can hold them; of the options, those that were given.

        Returns
        -------
        dict
            Setting -> value, such as a configuration has.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.SeasonalNaive(h=24, season=24).settings()
        {'h': 24, 'season': 24, 'alias': None}
        """
        own = {name: getattr(self, name) for name in self._named()} | self._options
        return {name: value.to_dict() if isinstance(value, Calendar) else value for name, value in own.items()}

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in self.settings().items() if v is not None)
        return f"{type(self).__name__}({shown})"

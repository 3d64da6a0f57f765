"""Forecasters made of others: how the members are named, fitted, saved and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

import numpy as np

from foretide.errors import ConfigError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.choices import joined_choices, of_member
from foretide.forecasters.fitted import Fitted
from foretide.forecasters.naming import start_name
from foretide.forecasters.table import forecaster_class
from foretide.heads.table import shared_range
from foretide.training.saved import arrays_of, facts_of, prefixed, restored, under

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.forecasters.answer import Note, Prediction
    from foretide.forecasters.base import FitPart
    from foretide.typing import Array, Bools, Json, Time

Member: TypeAlias = Forecaster | str | Mapping[str, Mapping[str, object]]
"""A forecaster, which is copied, its name, or ``{name: settings}``."""


def unfitted(model: Member, h: int | None) -> Forecaster:
    """Return an unfitted forecaster like ``model``, or the one that a name with settings describes.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
    h : int or None
        Steps to forecast, where the settings do not say.

    Returns
    -------
    Forecaster

    Raises
    ------
    ConfigError
        For what is no forecaster, and for one without a horizon.

    Examples
    --------
    >>> unfitted({"SeasonalNaive": {"season": 7}}, h=14)
    SeasonalNaive(h=14, season=7)
    """
    if isinstance(model, Forecaster):
        return model.fresh()
    if isinstance(model, str):
        model = {model: {}}
    if not isinstance(model, Mapping) or len(model) != 1:
        raise ConfigError(f"A member is a forecaster, a name or {{name: settings}}; got {model!r}.")
    ((name, settings),) = model.items()
    given: Json = {"h": h, **(settings or {})}
    if given["h"] is None:
        raise ConfigError(f"The member {name} has no horizon. Type: Ensemble([...], h=14)")
    return forecaster_class(name)(**given)


def fit_member(panel: Panel, item: tuple[Forecaster, Time | None]) -> Forecaster:
    """Fit a member, given with its ``train_until``; what it saw is left out, for the wrapper keeps it.

    Intervals of its past errors are not learned either: the wrapper learns its own.
    """
    member, train_until = item
    member.fit(panel, train_until=train_until, intervals=False)
    if member._fitted is not None:
        member._fitted = member._fitted.without_history()
    return member


class Wrapper(Forecaster):
    """A forecaster made of others.

    Parameters
    ----------
    members : sequence of Forecaster
        Unfitted ones of its own, all with one horizon.
    alias : str, optional
        Name in frames and tables.
    """

    adds_intervals: ClassVar[bool] = False
    """Whether it has a predictive distribution whatever its members have."""

    def __init__(self, members: Sequence[Forecaster], *, alias: str | None) -> None:
        super().__init__(members[0].h, alias=alias)
        self.members = list(members)
        self.has_distribution = self.adds_intervals or all(member.has_distribution for member in members)
        self.uses_validation = any(member.uses_validation for member in members)
        self.spares_validation = all(member.spares_validation for member in members)
        self.uses_future = any(member.uses_future for member in members)
        self.reads_others = any(member.reads_others for member in members)
        self.neural = any(member.neural for member in members)
        self.past_origins = min(member.past_origins for member in members)

    @property
    def parts(self) -> tuple[Forecaster, ...]:
        """The members."""
        return tuple(self.members)

    def fresh(self, **changes: object) -> Self:
        """Return an unfitted forecaster with the same settings, but for those given, around copies of the members."""
        assert self.nests is not None
        return super().fresh(**{self.nests: self.members[0] if self.nests == "model" else self.members, **changes})

    def _points(self, targets: tuple[str, ...]) -> Bools:
        if self.adds_intervals or not self.has_distribution:
            return super()._points(targets)
        return np.asarray(np.any([member._points(targets) for member in self.members], axis=0), dtype=bool)

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that the distributions of all members hold."""
        return None if self.adds_intervals else shared_range(member.quantile_range for member in self.members)

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
    def _fit_all(self, panel: Panel, train_until: Time | None = None) -> list[Forecaster]:
        """Return copies of all members, fitted."""
        return [fit_member(panel, (member.fresh(), train_until)) for member in self.members]

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """What the members chose, under their names where there are several."""
        # Each knows the series that it was fitted on; those too short for it may have come to others.
        own = [m._choices(layout if m._fitted is None else m._fitted.layout) for m in self.members]
        if len(own) == 1:
            return own[0]
        return joined_choices([of_member(table, m.name) for table, m in zip(own, self.members, strict=True)])

    # ---------------------------------------------------------------- keeping
    @property
    def _keys(self) -> list[str]:
        """What the arrays of each member are kept under."""
        return ["model"] if self.nests == "model" else [str(k) for k in range(len(self.members))]

    def state(self) -> dict[str, Array]:
        """Every member's arrays under its name."""
        named = zip(self._keys, self.members, strict=True)
        return {name: array for key, member in named for name, array in prefixed(f"{key}/", member.state()).items()}

    def facts(self) -> dict[str, object]:
        """Every member's facts, and the panel it was fitted on."""
        fitted = [m._fitted.without_history().facts() for m in self.members if m._fitted is not None]
        return {"members": [member.facts() for member in self.members], "fitted": fitted}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild the members from :meth:`state` and :meth:`facts`."""
        one = "members" not in facts  # of a single model, as it was saved before
        known, fitted = ([facts["model"]], [facts["fitted"]]) if one else (facts["members"], facts["fitted"])
        of_members = zip(self.members, [under(f"{key}/", state) for key in self._keys], known, fitted, strict=True)
        for member, arrays, own, about in of_members:
            member.restore(arrays, own)
            member._fitted = Fitted.restore(about, {})


class Single(Wrapper):
    """A forecaster around one other.

    Parameters
    ----------
    model : Forecaster, str or {name: settings}
        The model; a forecaster is copied and not fitted itself.
    h : int, optional
        Steps forecast; by default that of the model.
    alias : str, optional
        Name in frames and tables; the model's by default.
    """

    nests = "model"
    keeps: ClassVar[tuple[str, str, type] | None] = None
    """What it learns besides: its name in files, the attribute that holds it, and the dataclass that it is."""

    def __init__(self, model: Member, h: int | None, *, alias: str | None) -> None:
        if not isinstance(model, Forecaster) and h is None:
            given = next(iter(model.values()), None) if isinstance(model, Mapping) else None
            if not isinstance(given, Mapping) or "h" not in given:
                raise ConfigError(f"The model has no horizon. Type: {type(self).__name__}({model!r}, h=14)")
        inner = unfitted(model, h)
        if h is not None and inner.h != h:
            raise ConfigError(f"The model forecasts {inner.h} steps, but h={h!r}. Leave h out.")
        super().__init__([inner], alias=alias)
        self.baseline = inner.baseline

    @property
    def inner(self) -> Forecaster:
        """The model."""
        return self.members[0]

    @property
    def model(self) -> dict[str, dict[str, object]]:
        """The model as ``{name: settings}``."""
        return {type(self.inner).__name__: self.inner.settings()}

    @property
    def name(self) -> str:
        """Name in frames and tables."""
        return self.alias or self.inner.name

    def start(self) -> Forecaster | None:
        """Return the same around the start of the model."""
        inner = self.inner.start()
        return None if inner is None else self.fresh(model=inner, alias=start_name(self))

    def _fit(self, part: FitPart) -> None:
        self.members = self._fit_all(part.panel, part.train_until)

    def state(self) -> dict[str, Array]:
        """The model's arrays, and those that were learned besides."""
        name, own = self._kept()
        return {**super().state(), **({} if own is None else prefixed(f"{name}/", arrays_of(own)))}

    def facts(self) -> dict[str, object]:
        """The model's facts, the panel it was fitted on, and what else was learned."""
        name, own = self._kept()
        return {**super().facts(), name: None if own is None else facts_of(own)}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Rebuild from :meth:`state` and :meth:`facts`."""
        super().restore(state, facts)
        if self.keeps is not None and facts[self.keeps[0]] is not None:
            name, attribute, kind = self.keeps
            setattr(self, attribute, restored(kind, under(f"{name}/", state), facts[name]))

    def _kept(self) -> tuple[str, object]:
        if self.keeps is None:
            return "", None
        return self.keeps[0], getattr(self, self.keeps[1])


def notes_of_members(members: Sequence[Forecaster], made: Sequence[Prediction], panel: Panel, n: int) -> list[Note]:
    """Return the notes of forecasts that are blended; a column is left out only where every member leaves it out.

    Parameters
    ----------
    members : sequence of Forecaster
    made : sequence of Prediction
        One per member, of ``n`` windows.
    panel : Panel
        That was forecast.
    n : int

    Returns
    -------
    list of Note
    """

    def without(member: Forecaster, one: Prediction, column: str) -> bool:
        everywhere = [note for note in one.notes if len(note.windows) == n and not note.targets]
        return column in member._unused(panel, panel.future) or any(column in note.columns for note in everywhere)

    out = {c for c in panel.future if all(without(*of, c) for of in zip(members, made, strict=True))}
    return [
        replace(note, columns=tuple(column for column in note.columns if column in out)) if note.columns else note
        for one in made for note in one.notes
    ]  # fmt: skip

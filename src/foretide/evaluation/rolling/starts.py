"""The closed-form starts of the networks of a backtest, rows of their own: so it can be said what training added."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from foretide.evaluation.rolling.members import Member
from foretide.forecasters.base import Forecaster
from foretide.forecasters.naming import folded

if TYPE_CHECKING:
    from foretide.evaluation.rolling.plan import Plan
    from foretide.typing import Json


def with_starts(members: Sequence[Member], plan: Plan, starts: bool | Collection[str] = True) -> list[Member]:
    """Put the closed-form start of every network that was asked for right before it.

    Networks that begin at the same solution share it, as the same network under several seeds does. A network that came
    fitted and is judged as it is has no start here: what it was fitted on is not known.

    Parameters
    ----------
    members : sequence of Member
    plan : Plan
    starts : bool or collection of str
        Of all networks, of none, or of those named.

    Returns
    -------
    list of Member
        In the order of ``members``.
    """
    solutions: list[tuple[Member, list[str]]] = []
    for member in members:
        start = _start_of(member, plan, starts)
        if start is None:
            continue
        networks = next((own for known, own in solutions if _solution(known) == _solution(start)), None)
        if networks is None:
            solutions.append((start, networks := []))
        networks.append(member.name)
    taken = {folded(member.name) for member in members}
    before = {networks[0]: _named(start, networks, taken) for start, networks in solutions}
    return [m for member in members for m in (before.get(member.name), member) if m is not None]


def _start_of(member: Member, plan: Plan, starts: bool | Collection[str]) -> Member | None:
    model, wanted = member.forecaster, starts if isinstance(starts, bool) else member.name in starts
    judged_as_it_is = member.fitted and len(plan.blocks) == 1
    if not wanted or not member.asked or member.baseline or judged_as_it_is or not isinstance(model, Forecaster):
        return None
    start = model.start()
    return None if start is None else Member(start, False, False)


def _solution(start: Member) -> tuple[type, Json]:
    return type(start.forecaster), {name: value for name, value in start.settings.items() if name != "alias"}


def _named(start: Member, networks: Sequence[str], taken: set[str]) -> Member:
    """Name a start by its network, or by the class of several; another name where that one is taken."""
    forecaster = start.forecaster
    assert isinstance(forecaster, Forecaster)
    inner: Forecaster = forecaster
    while len(inner.parts) == 1:
        inner = inner.parts[0]
    name = start.name if len(networks) == 1 else f"{type(inner).__name__}-start"
    while folded(name) in taken:
        name = f"{name}-start"
    taken.add(folded(name))
    return replace(start, forecaster=forecaster.fresh(alias=name), start_of=tuple(networks))

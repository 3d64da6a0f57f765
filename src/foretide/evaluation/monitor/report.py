"""What monitoring found, in words and figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from foretide.evaluation.monitor.forecasts import TOLERANCE
from foretide.text import number, phrase, time_text

if TYPE_CHECKING:
    from foretide.evaluation.monitor.checks import Check
    from foretide.evaluation.monitor.forecasts import Judged
    from foretide.typing import Json, Time

FINE, CHANGED, UNKNOWN = "fine", "changed", "unknown"
_WORDS = {
    FINE: "no change that chance would not explain",
    CHANGED: "something has changed",
    UNKNOWN: "too little to judge by",
}


@dataclass(frozen=True, eq=False)
class MonitorReport:
    """What :func:`foretide.monitor` found.

    Attributes
    ----------
    model : str
    begin, end : time
        First and last new step.
    steps : int
        From one to the other.
    alpha : float
        Probability of an alarm where nothing has changed, at most.
    checks : tuple of Check
    judged : Judged or None
        Forecasts of the new rows beside what came; None where there were too few.
    notes : tuple of str
        What could not be looked at, and why.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.hourly(T=480, n_series=1, seed=1, regime_shifts=0).panel
    >>> model = ft.SeasonalNaive(h=24, season=24).fit(panel, until="2019-01-18 23:00")
    >>> ft.monitor(model, panel).verdict in ("fine", "changed")
    True
    """

    model: str
    begin: Time
    end: Time
    steps: int
    alpha: float
    checks: tuple[Check, ...]
    judged: Judged | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> tuple[Check, ...]:
        """Checks that speak of a change."""
        return tuple(check for check in self.checks if check.alarm)

    @property
    def verdict(self) -> str:
        """``fine``, ``changed``, or ``unknown`` where nothing could be tested."""
        if self.alarms:
            return CHANGED
        return FINE if any(check.kind == "forecast" and check.p is not None for check in self.checks) else UNKNOWN

    @property
    def figures(self) -> dict[str, float]:
        """Errors and coverage on the new rows."""
        return {} if self.judged is None else dict(self.judged.figures)

    def to_text(self) -> str:
        """Say what was found: the verdict, what speaks for a change, the figures, and what was not looked at.

        Returns
        -------
        str
        """
        lines = [self.headline()]
        lines += [f"  {check.text}{_odds(check)}." for check in self.alarms]
        rest = [check for check in self.checks if not check.alarm and check.p is None]
        lines += [f"  Also: {check.text}." for check in rest]
        lines += ["", *self.sentences(), *self.notes]
        return "\n".join(lines).rstrip()

    def headline(self) -> str:
        """Return the verdict in one line.

        Returns
        -------
        str
        """
        span = f"{time_text(self.begin)} to {time_text(self.end)}"
        return f"{self.model}, {phrase('new step', self.steps)} ({span}): {_WORDS[self.verdict]}."

    def sentences(self) -> list[str]:
        """Return the figures in sentences, and how the verdict was found.

        Returns
        -------
        list of str
        """
        found, said = self.figures, []
        if "mae" in found:
            text = f"Mean absolute error {number(found['mae'])}"
            if "stated_mae" in found:
                text += f", where the model's own distributions lead to expect {number(found['stated_mae'])}"
            if "baseline_mae" in found:
                text += f"; a simple seasonal forecast of the same rows: {number(found['baseline_mae'])}"
            said.append(text + ".")
        levels = [name.partition("_")[2] for name in found if name.startswith("coverage_")]
        if levels:
            shares = " and ".join(f"{level} % intervals {found[f'coverage_{level}']:.0%}" for level in levels)
            said.append(f"Of what came, {shares} held.")
        tested = sum(check.p is not None for check in self.checks)
        if tested:
            said.append(
                f"{phrase('test', tested)}; where nothing has changed, an alarm comes with a probability of at most "
                f"{self.alpha:.0%}. Errors up to {TOLERANCE} times as wide as stated are no change."
            )
        return said

    def to_frame(self) -> pd.DataFrame:
        """Return one row per check.

        Returns
        -------
        DataFrame
            ``kind``, ``name``, ``text``, ``value``, ``expected``, ``p``, ``adjusted``, ``alarm``.
        """
        names = ["kind", "name", "text", "value", "expected", "p", "adjusted", "alarm"]
        return pd.DataFrame([asdict(check) for check in self.checks], columns=names)

    def to_dict(self) -> Json:
        """Return everything but single forecasts, as JSON can hold it.

        Returns
        -------
        dict
        """
        return {
            "model": self.model, "verdict": self.verdict, "begin": str(self.begin), "end": str(self.end),
            "steps": self.steps, "alpha": self.alpha, "figures": self.figures,
            "checks": [asdict(check) for check in self.checks], "notes": list(self.notes),
        }  # fmt: skip


def _odds(check: Check) -> str:
    if check.adjusted is None:
        return ""
    return f" (p {'< 0.001' if check.adjusted < 0.001 else f'= {check.adjusted:.3f}'})"

"""No forecaster depends on what lies after ``until`` or after a cutoff: poison the future, and nothing changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import CASES, make_panel, times

from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.errors import LeakageError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.forecast import Forecast

H = 4
UNTIL = 79
CUTOFFS = [79, 80, 84]
POISONS = ("nan", "huge", "shuffled")

each = pytest.mark.parametrize("case", CASES)
each_poison = pytest.mark.parametrize("poison", POISONS)


def panel_() -> Panel:
    return make_panel((100, 94), targets=2, past=1, future=1, first=(0, 2), seed=3, whole=True)


def poisoned(panel: Panel, step: int, poison: str) -> Panel:
    """Replace targets and past columns after a grid step; known-future columns are known, so they stay."""
    values, known = panel.values.copy(), panel.n_targets + len(panel.past)
    rng = np.random.default_rng(0)
    for i in range(panel.n_entities):
        start = panel.row0[i] + max(step - panel.first[i] + 1, 0)
        rows = values[start : panel.row0[i] + panel.length[i], :known]
        if poison == "shuffled":
            rng.shuffle(rows)
        else:
            rows[:] = np.nan if poison == "nan" else 1e9 * (1 + np.arange(rows.size).reshape(rows.shape))
    return panel.with_values(values)


def same(clean: Forecast, other: Forecast) -> None:
    """Raise :class:`LeakageError` unless both forecasts are equal to the bit."""
    pairs = [(clean.mean, other.mean), (clean.quantiles, other.quantiles)]
    for expected, got in pairs:
        if expected is not None and not np.array_equal(expected, got):
            raise LeakageError(f"{clean.model} depends on values after the cutoff.")


def check_fit(make: Any, panel: Panel, poison: str) -> None:
    """Fit on clean and on poisoned data until one time; what both learned must forecast the same."""
    until = times(panel, [UNTIL])[0]
    clean = make(H).fit(panel, until=until).predict(panel, [until])
    same(clean, make(H).fit(poisoned(panel, UNTIL, poison), until=until).predict(panel, [until]))


def check_predict(model: Forecaster, panel: Panel, poison: str) -> None:
    """Forecast from each cutoff with everything after it poisoned."""
    for cutoff in CUTOFFS:
        at = times(panel, [cutoff])
        same(model.predict(panel, at), model.predict(poisoned(panel, cutoff, poison), at))


@each
@each_poison
def test_fit_sees_nothing_after_until(case: str, poison: str) -> None:
    check_fit(CASES[case], panel_(), poison)


@each
def test_predict_sees_nothing_after_the_cutoff(case: str) -> None:
    panel = panel_()
    model = CASES[case](H).fit(panel, until=times(panel, [UNTIL])[0])
    for poison in POISONS:
        check_predict(model, panel, poison)


@each
def test_earlier_cutoffs_see_nothing_of_later_ones(case: str) -> None:
    # All cutoffs in one pass: the first one's forecast must not change when the later ones' data do.
    panel = panel_()
    model = CASES[case](H).fit(panel, until=times(panel, [UNTIL])[0])
    cutoffs = times(panel, CUTOFFS)
    clean = model.predict(panel, cutoffs)
    other = model.predict(poisoned(panel, CUTOFFS[0], "huge"), cutoffs)
    first = clean.cutoff_steps == CUTOFFS[0]
    np.testing.assert_allclose(other.mean[first], clean.mean[first], rtol=1e-6)
    assert first.sum() == panel.n_entities


class _PeeksAtPredict(Forecaster):
    """Answers with the truth."""

    def _fit(self, part: FitPart) -> None:
        pass

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        return Prediction(Forecast("", panel, windows, np.zeros((len(windows), self.h, panel.n_targets))).truth())


class _PeeksAtFit(_PeeksAtPredict):
    """Reaches behind the part it was given, to the array the part is a view of."""

    def _fit(self, part: FitPart) -> None:
        self.mean = np.nanmean(part.panel.values[:, : part.panel.n_targets], axis=0)

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        return Prediction(np.broadcast_to(self.mean, (len(windows), self.h, panel.n_targets)))


@each_poison
def test_a_cheat_at_predict_is_caught(poison: str) -> None:
    panel = panel_()
    with pytest.raises(LeakageError, match="depends on values after the cutoff"):
        check_predict(_PeeksAtPredict(H).fit(panel), panel, poison)


@pytest.mark.parametrize("poison", ["nan", "huge"])
def test_a_cheat_at_fit_is_caught(poison: str) -> None:
    # A mean does not notice a shuffle; the other poisons it cannot hide from.
    with pytest.raises(LeakageError, match="depends on values after the cutoff"):
        check_fit(_PeeksAtFit, panel_(), poison)

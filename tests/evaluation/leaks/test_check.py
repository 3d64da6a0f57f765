"""The check for leaks: cheats of every kind are caught and named, honest forecasters pass."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from cases import make_panel, times

from foretide.data.panel import Panel
from foretide.data.windows import Windows, at_cutoffs
from foretide.errors import ConfigError, DataError, LeakageError
from foretide.evaluation.leaks.check import check_leaks
from foretide.evaluation.leaks.poison import POISONS, poisoned
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.simple.baselines import Persistence, SeasonalNaive

H = 3


def panel_(**options: Any) -> Panel:
    return make_panel((80, 78), targets=2, past=1, future=1, first=(0, 2), seed=3, **options)


def flat(panel: Panel, windows: Windows, level: Any, h: int = H) -> np.ndarray:
    """Return forecasts that stay at one level, ``[W]``, ``[W, D]`` or a number."""
    level = np.asarray(level, dtype=float)
    level = level[:, None] if level.ndim == 1 else level
    return np.broadcast_to(level, (len(windows), panel.n_targets))[:, None, :].repeat(h, axis=1)


def stages(report: Any) -> set[str]:
    return {finding.stage for finding in report.findings}


# ---------------------------------------------------------------- subclasses of Forecaster
class Own(Forecaster):
    """Forecasts the last value; what it learns and adds is given by subclasses."""

    def _fit(self, part: FitPart) -> None:
        pass

    def _level(self, panel: Panel, windows: Windows) -> Any:
        return panel.values[windows.rows(panel), : panel.n_targets]

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        return Prediction(flat(panel, windows, self._level(panel, windows), self.h))


class Ahead(Own):
    def _level(self, panel: Panel, windows: Windows) -> Any:
        return panel.values[windows.rows(panel) + 1, : panel.n_targets]


class WholeMean(Own):
    """Reaches behind its part, to the array that the part is a view of."""

    def _fit(self, part: FitPart) -> None:
        self.center = np.nanmean(part.panel.values[:, : part.panel.n_targets], axis=0)

    def _level(self, panel: Panel, windows: Windows) -> Any:
        return np.broadcast_to(self.center, (len(windows), panel.n_targets))


class Flagged(Own):
    """Mean of flagged and of other days, of all rows: on days without a flag its forecasts hardly tell."""

    def _fit(self, part: FitPart) -> None:
        rows = part.panel.values if self.alias == "cheat" else np.concatenate([part.panel.rows(i) for i in range(2)])
        flag = rows[:, -1] > 0
        self.factor = rows[flag, 0].mean() / rows[~flag][:20, 0].mean()

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        ahead = np.minimum(windows.rows(panel)[:, None] + np.arange(1, self.h + 1), len(panel.values) - 1)
        flag = panel.values[ahead][..., -1:] > 0
        return Prediction(flat(panel, windows, self._level(panel, windows)) * np.where(flag, self.factor, 1.0))


class Batch(Own):
    """Honest from one cutoff; in one pass it takes what was known at the latest cutoff for all of them."""

    def _level(self, panel: Panel, windows: Windows) -> Any:
        latest = {i: windows.rows(panel)[windows.entity == i].max() for i in np.unique(windows.entity)}
        return panel.values[[latest[i] for i in windows.entity], : panel.n_targets]


class WideBounds(Own):
    """An honest mean with bounds from all rows."""

    has_distribution = True

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        mean = flat(panel, windows, self._level(panel, windows))
        spread = np.nanmax(panel.values[:, : panel.n_targets])
        return Prediction(mean, np.stack([mean + spread * (q - 0.5) for q in quantiles], axis=-1))


class Random(Own):
    def _level(self, panel: Panel, windows: Windows) -> Any:
        return np.random.default_rng().normal(size=len(windows))


class Refuses(Own):
    def _level(self, panel: Panel, windows: Windows) -> Any:
        if np.isnan(panel.values[:, : panel.n_targets]).any():
            raise ValueError("Input contains NaN.")
        return super()._level(panel, windows)


class Remembers(Ahead):
    """Keeps its first answer: asked again, it does not look at the panel any more."""

    def _level(self, panel: Panel, windows: Windows) -> Any:
        kept = self.__dict__.setdefault("kept", {})
        key = (windows.entity.tobytes(), windows.cutoff.tobytes())
        if key not in kept:
            kept[key] = super()._level(panel, windows)
        return kept[key]


class Counts(Own):
    """Divides time by the length of the whole series."""

    def _level(self, panel: Panel, windows: Windows) -> Any:
        return windows.cutoff / panel.length[windows.entity]


def test_reading_one_step_ahead_is_caught() -> None:
    panel = panel_()
    report = check_leaks(Ahead(H), panel)
    assert not report.ok
    assert stages(report) == {"predict", "joint"}
    found = [f for f in report.findings if f.stage == "predict"]
    assert [f.poison for f in found] == ["nan", "huge", "shuffled", "truncated"] * 3
    assert {f.step for f in found} == {1}
    assert {(f.touched, f.compared) for f in found} == {(4, 4)}
    # The largest change, by a loop over series: what lies one step ahead, clean and poisoned.
    cutoff = panel.grid.step_of(report.cutoffs[0])
    bad = poisoned(panel, report.cutoffs[0], "huge")
    changes = {}
    for i in range(2):
        row = panel.row0[i] + cutoff - panel.first[i] + 1
        for d in range(2):
            changes[panel.series_name(i, d)] = abs(bad.values[row, d] - panel.values[row, d])
    (huge,) = [f for f in found if f.poison == "huge" and f.cutoff == report.cutoffs[0]]
    assert huge.change == max(changes.values())
    assert huge.series == max(changes, key=lambda name: changes[name])
    assert all(f.change > 0 for f in found if f.poison == "nan")
    text = report.to_text()
    assert "Ahead leaks: its forecasts depend on values it cannot have" in text
    assert f"the forecast of {huge.series!r} from 2023-02-27 changes by up to {huge.change:.3g}" in text
    assert "first at step 1; 4 of 4 series" in text
    assert "... and 9 more of this kind." in text
    assert "The last one allowed is windows.rows(panel)" in text
    with pytest.raises(LeakageError, match="Ahead leaks"):
        report.raise_if_leaking()


@pytest.mark.parametrize("poison", ["nan", "huge"])
def test_a_scaler_of_the_whole_series_at_fit_is_caught(poison: str) -> None:
    report = check_leaks(WholeMean(H), panel_(), poisons=[poison])
    assert stages(report) == {"fit"}
    assert "Look at: what fit computes from whole columns" in report.to_text()
    assert "panel.until(until).rows(i)" in report.to_text()


def test_a_mean_does_not_notice_a_shuffle() -> None:
    # Why there are several poisons. Rounding differs, because the mean adds in another order.
    assert check_leaks(WholeMean(H), panel_(), poisons=["shuffled"], tolerance=1e-12).ok


def test_factors_of_rare_days_are_caught_though_no_cutoff_meets_one() -> None:
    panel = panel_()
    values = panel.values.copy()
    flag = values[:, -1:]
    flag[:] = 0
    for i in range(2):
        at = panel.row0[i] - panel.first[i]
        flag[[at + k for k in (10, 20, 64, 75)]] = 1
    panel = panel.with_values(values)
    cutoffs = times(panel, [55, 58, 68])  # of steps 56 to 61 and 69 to 71 none is flagged
    report = check_leaks(Flagged(H, alias="cheat"), panel, cutoffs=cutoffs)
    assert stages(report) == {"fit"}
    assert all(f.cutoff not in cutoffs for f in report.findings)
    assert check_leaks(Flagged(H, alias="honest"), panel, cutoffs=cutoffs).ok


def test_one_pass_over_several_cutoffs_is_checked() -> None:
    panel = panel_()
    report = check_leaks(Batch(H), panel)
    assert stages(report) == {"joint"}
    assert {f.cutoff for f in report.findings} <= set(report.cutoffs[:2])
    assert len(report.findings) == 4  # two poisons after each of the first two cutoffs
    assert "Each cutoff needs its own" in report.to_text()
    one = check_leaks(Batch(H), panel, until=times(panel, [50])[0], cutoffs=times(panel, [55]))
    assert stages(one) == {"order"}  # all origins at once, and that one alone
    assert "Several cutoffs in one pass: not checked" in one.to_text()


def test_quantiles_count() -> None:
    report = check_leaks(WideBounds(H), panel_(), poisons=["huge"])
    assert {"predict", "joint"} <= stages(report)


def test_a_model_that_draws_without_a_seed_cannot_be_judged() -> None:
    report = check_leaks(Random(H), panel_())
    assert not report.ok
    assert not report.deterministic
    assert [f.stage for f in report.findings] == ["control"]
    text = report.to_text()
    assert "Random cannot be judged: it is not deterministic" in text
    assert "give the model one (seed=1)" in text
    assert "Nothing was poisoned" in text
    with pytest.raises(ConfigError, match="cannot be judged"):
        report.raise_if_leaking()


def test_rounding_can_be_tolerated() -> None:
    class Rounds(Own):
        def _level(self, panel: Panel, windows: Windows) -> Any:
            return super()._level(panel, windows) * (1 + 1e-9 * np.random.default_rng().random())

    assert not check_leaks(Rounds(H), panel_()).deterministic
    report = check_leaks(Rounds(H), panel_(), tolerance=1e-8)
    assert report.ok
    assert "equal within 1e-08 of the largest forecast" in report.to_text()
    assert not check_leaks(Ahead(H), panel_(), tolerance=1e-8).ok


def test_a_model_that_fails_on_poison_has_looked_at_it() -> None:
    report = check_leaks(Refuses(H), panel_())
    found = [f for f in report.findings if f.stage == "predict"]
    assert [f.poison for f in found] == ["nan", "truncated"] * 3  # known-future rows stay, their targets missing
    assert {f.error for f in found} == {"ValueError: Input contains NaN."}
    assert stages(report) == {"predict"}
    assert (
        "the model does not answer as before where these come after 2023-02-27: ValueError: Input contains NaN."
        in report.to_text()
    )
    # On clean data with holes it fails by itself, and that is no matter of leaks.
    with pytest.raises(ValueError, match="Input contains NaN"):
        check_leaks(Refuses(H), panel_(missing=0.1))


def test_later_cutoffs_may_fail_on_what_they_may_see() -> None:
    class Limited(Own):
        def _level(self, panel: Panel, windows: Windows) -> Any:
            level = super()._level(panel, windows)
            if (level > 1e6).any():
                raise ValueError("too large")
            return level

    report = check_leaks(Limited(H), panel_())
    assert report.ok
    assert len(report.notes) == 2
    assert "not judged, because later cutoffs may look at these values" in report.to_text()
    assert "ValueError: too large" in report.notes[0]


def test_what_a_model_keeps_from_one_forecast_does_not_hide_it() -> None:
    assert "predict" in stages(check_leaks(Remembers(H), panel_()))


def test_the_length_of_the_future_shows_when_rows_are_cut_off() -> None:
    for panel in (make_panel((80, 76), first=(0, 2)), panel_()):  # with known-future columns too
        assert check_leaks(Counts(H), panel, poisons=["nan", "huge", "shuffled"]).ok
        report = check_leaks(Counts(H), panel)
        assert {(f.stage, f.poison) for f in report.findings} == {("predict", "truncated")}
        assert "cut off" in report.to_text()


class LastTime(Own):
    """Knows the time at which the table ends."""

    def _level(self, panel: Panel, windows: Windows) -> Any:
        return super()._level(panel, windows) + float(panel.last.max())


class LastTimeOfFit(Own):
    """The same at fit, by the array behind its part."""

    def _fit(self, part: FitPart) -> None:
        self.rows = float(len(part.panel.values))

    def _level(self, panel: Panel, windows: Windows) -> Any:
        return super()._level(panel, windows) + self.rows


@pytest.mark.parametrize("panel", [panel_(), make_panel((80, 76), first=(0, 2))], ids=["known future", "none"])
def test_the_last_time_shows_when_rows_are_cut_off(panel: Panel) -> None:
    assert {(f.stage, f.poison) for f in check_leaks(LastTime(H), panel).findings} == {("predict", "truncated")}
    assert {(f.stage, f.poison) for f in check_leaks(LastTimeOfFit(H), panel).findings} == {("fit", "truncated")}


# ---------------------------------------------------------------- what is asked, and in which order
class CountsCutoffs(Own):
    """Knows how many origins a backtest asks for."""

    def _level(self, panel: Panel, windows: Windows) -> Any:
        return super()._level(panel, windows) + len(np.unique(windows.steps(panel)))


class KeepsTheLatest(Own):
    """Keeps the latest value it was shown in a call for the next one."""

    def _level(self, panel: Panel, windows: Windows) -> Any:
        at = int(windows.rows(panel).max())
        kept = self.__dict__.get("kept", (-1, 0.0))
        self.kept = max(kept, (at, float(panel.values[at, 0])))
        return super()._level(panel, windows) + (self.kept[1] if self.kept[0] > at else 0.0)


@pytest.mark.parametrize("kind", [CountsCutoffs, KeepsTheLatest])
def test_a_cutoff_alone_and_among_others(kind: type[Own]) -> None:
    report = check_leaks(kind(H), panel_())
    assert stages(report) == {"order"}
    assert "Look at: what predict keeps on the model from one call to the next" in report.to_text()


def test_rounding_of_many_at_once_is_no_leak() -> None:
    class Batched(Own):
        def _level(self, panel: Panel, windows: Windows) -> Any:
            return super()._level(panel, windows) * (1 + 1e-6 * (len(windows) > 6))

    assert check_leaks(Batched(H), panel_()).ok


# ---------------------------------------------------------------- state outside the model
SHOWN: dict[tuple[str, int], float] = {}


class Outside(Own):
    """Looks up what it was ever shown, wherever that is kept; else it is honest."""

    store: ClassVar[dict[tuple[str, int], float]] = {}

    def _known(self) -> dict[tuple[str, int], float]:
        return self.store

    def _keep(self, known: dict[tuple[str, int], float]) -> None:
        pass

    def _level(self, panel: Panel, windows: Windows) -> Any:
        known = self._known()
        for i, name in enumerate(panel.ids):
            for k, value in enumerate(panel.rows(i)[:, 0].tolist()):
                if np.isfinite(value):
                    known.setdefault((name, int(panel.first[i]) + k), value)
        self._keep(known)
        last = super()._level(panel, windows)[:, 0]
        keys = [(panel.ids[i], int(s) + 1) for i, s in zip(windows.entity, windows.steps(panel), strict=True)]
        return np.array([known.get(key, own) for key, own in zip(keys, last, strict=True)])


class OutsideOfModule(Outside):
    def _known(self) -> dict[tuple[str, int], float]:
        return SHOWN


class OutsideInAFile(Outside):
    file: ClassVar[Path]

    def _known(self) -> dict[tuple[str, int], float]:
        return pickle.loads(self.file.read_bytes()) if self.file.exists() else {}

    def _keep(self, known: dict[tuple[str, int], float]) -> None:
        self.file.write_bytes(pickle.dumps(known))


@pytest.mark.parametrize("kind", [Outside, OutsideOfModule, OutsideInAFile])
def test_state_outside_the_model_is_found(kind: type[Outside], tmp_path: Path) -> None:
    Outside.store.clear()
    SHOWN.clear()
    OutsideInAFile.file = tmp_path / "cache.pkl"
    report = check_leaks(kind(H), panel_())
    assert stages(report) == {"memory"}
    text = report.to_text()
    assert "attributes of its class, globals of its module, caches (lru_cache) and files" in text
    where = {Outside: "Outside.store", OutsideOfModule: ".SHOWN", OutsideInAFile: "cache.pkl"}[kind]
    assert where in "\n".join(report.notes)


def test_an_honest_model_leaves_no_note_of_what_lies_outside() -> None:
    assert check_leaks(Persistence(H), panel_()).notes == ()


# ---------------------------------------------------------------- anybody's class
class Mine:
    """Knows nothing of Forecaster; ``where`` it scales with more than it may know."""

    def __init__(self, where: str = "nowhere") -> None:
        self.where = where
        self.fits = 0

    def _scale(self, panel: Panel, until: Any, whole: bool) -> float:
        part = panel if whole else panel.until(until)
        rows = np.concatenate([part.rows(i) for i in range(part.n_entities)])
        return float(np.nanstd(rows[:, : panel.n_targets]))

    def fit(self, panel: Panel, until: Any = None) -> None:
        self.fits += 1
        self.until = until
        self.scale = self._scale(panel, until, self.where == "fit")

    def predict(self, panel: Panel, cutoffs: Any = None) -> Forecast:
        windows = at_cutoffs(panel, cutoffs)
        scale = self._scale(panel, self.until, self.where == "predict")
        last = panel.values[windows.rows(panel), : panel.n_targets]
        return Forecast("Mine", panel, windows, flat(panel, windows, last / scale * self.scale))


@pytest.mark.parametrize(("where", "expected"), [("fit", {"fit"}), ("predict", {"predict", "joint"})])
def test_a_class_of_the_users_own_is_caught(where: str, expected: set[str]) -> None:
    report = check_leaks(Mine(where), panel_())
    assert stages(report) == expected
    assert report.model == "Mine"


def test_honest_models_pass_and_stay_as_they_are() -> None:
    panel = panel_()
    before = panel.values.copy()
    mine, fitted = Mine(), SeasonalNaive(H, season=7).fit(panel)
    for model in (mine, Mine, lambda: Mine("nowhere"), fitted, Persistence(H), lambda: Persistence(H), Own(H)):
        report = check_leaks(model, panel)
        assert report.ok, report.to_text()
        report.raise_if_leaking()
    assert mine.fits == 0
    assert fitted.fitted_until == str(panel.grid.times([79])[0])
    np.testing.assert_array_equal(panel.values, before)
    assert "no leak found" in report.to_text()
    assert "Checked: a fit until 2023-02-26" in report.to_text()
    assert "equal to the bit" in report.to_text()


def test_the_parts_by_default() -> None:
    report = check_leaks(Persistence(H), panel_())
    # 80 steps, 0 to 79: 56 are fitted on, and the last cutoff leaves H of them.
    assert [report.until, *report.cutoffs] == times(panel_(), [55, 56, 66, 76])
    report = check_leaks(Mine(), panel_())  # its horizon is not written on it
    assert [report.until, *report.cutoffs] == times(panel_(), [55, 56, 66, 76])
    chosen = times(panel_(), [40, 30])
    report = check_leaks(Persistence(H), panel_(), cutoffs=chosen)
    assert [report.until, *report.cutoffs] == times(panel_(), [30, 30, 40])


def test_a_series_that_starts_after_the_fit_is_left_out() -> None:
    class ById(Own):
        def _fit(self, part: FitPart) -> None:
            self.levels = {name: part.panel.rows(i)[-1, :1] for i, name in enumerate(part.panel.ids)}

        def _level(self, panel: Panel, windows: Windows) -> Any:
            return np.array([self.levels[panel.ids[i]] for i in windows.entity])

    assert check_leaks(ById(H), make_panel((80, 10), first=(0, 70))).ok


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"poisons": ["nann"]}, ConfigError, "Did you mean 'nan'"),
        ({"poisons": "nan"}, ConfigError, "poisons is a list"),
        ({"poisons": []}, ConfigError, "poisons is a list"),
        ({"tolerance": -1.0}, ConfigError, "tolerance is a share of at least 0"),
        ({"cutoffs": []}, DataError, "cutoffs is empty"),
        ({"cutoffs": times(panel_(), [60, 79])}, DataError, "Nothing is observed after the cutoff 2023-03-22"),
        ({"until": times(panel_(), [79])[0]}, DataError, "leaves nothing after it to poison"),
        ({"until": times(panel_(), [75])[0]}, DataError, "4 are left, and 6 are needed for 3 cutoffs and h=3"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_said(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        check_leaks(Persistence(H), panel_(), **options)


class _Array(Mine):
    def predict(self, panel: Panel, cutoffs: Any = None) -> Any:
        return super().predict(panel, cutoffs).mean


class _Locked(Mine):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class _Forgets(Own):
    def __init__(self, h: int, window: int) -> None:
        super().__init__(h)


_ONE = Mine()


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (3, "A model has fit"),
        (Persistence, r"Persistence\(\) cannot be made without arguments"),
        (lambda: 3, "returns 3, which has no fit"),
        (lambda: _ONE, "returned the same object twice"),
        (_Array(), "predict returned ndarray, expected a foretide.Forecast"),
        (_Locked(), r"_Locked cannot be copied .*check_leaks\(lambda: _Locked"),
        (_Forgets(H, 3), "Keep every argument of the constructor as an attribute of the same name"),
    ],
)
def test_what_is_no_model_is_said(model: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check_leaks(model, panel_())


def test_a_model_that_cannot_be_copied_is_checked_all_the_same() -> None:
    assert check_leaks(_Locked, panel_()).ok


def test_an_answer_for_other_windows_is_a_finding() -> None:
    class Drops(Mine):
        def predict(self, panel: Panel, cutoffs: Any = None) -> Forecast:
            got = super().predict(panel, cutoffs)
            kept = ~np.isnan(got.truth()).all(axis=(1, 2))
            return replace(got, windows=got.windows[kept], mean=got.mean[kept])

    report = check_leaks(Drops(), panel_(), poisons=["nan"])
    assert stages(report) == {"predict"}
    assert "does not answer as before where these come after 2023-02-27: 0 forecasts of" in report.to_text()


# ---------------------------------------------------------------- poison
@pytest.mark.parametrize("poison", ["nan", "huge", "shuffled"])
def test_poison_replaces_what_comes_later_and_nothing_else(poison: str) -> None:
    panel = panel_()
    before = panel.values.copy()
    bad = poisoned(panel, times(panel, [60])[0], poison)
    np.testing.assert_array_equal(panel.values, before)
    for i in range(2):
        clean, other = panel.rows(i), bad.rows(i)
        for row in range(panel.length[i]):
            step = panel.first[i] + row
            np.testing.assert_array_equal(clean[row, 3], other[row, 3])  # known ahead
            if step <= 60:
                np.testing.assert_array_equal(clean[row], other[row])
            elif poison == "nan":
                assert np.isnan(other[row, :3]).all()
            else:
                assert (clean[row, :3] != other[row, :3]).all()
        late = slice(61 - panel.first[i], None)
        if poison == "shuffled":
            before_rows, after_rows = (sorted(map(tuple, rows[late, :3].tolist())) for rows in (clean, other))
            assert before_rows == after_rows
        if poison == "huge":
            assert len(np.unique(other[late, :3])) == other[late, :3].size
            assert (other[late, :3] >= 1e9).all()
            assert (other[late, :3] % 1 == 0).all()


@pytest.mark.parametrize("after", range(60, 78))
def test_a_shuffle_leaves_no_row_in_its_place(after: int) -> None:
    panel = panel_()
    bad = poisoned(panel, times(panel, [after])[0], "shuffled")
    for i in range(2):
        late = slice(after + 1 - panel.first[i], None)
        assert (panel.rows(i)[late, :3] != bad.rows(i)[late, :3]).all()


def test_truncated_rows_are_gone_for_good() -> None:
    panel = make_panel((80, 76, 10), first=(0, 2, 70))
    bad = poisoned(panel, times(panel, [60])[0], "truncated")
    assert bad.ids == panel.ids[:2]
    assert bad.length.tolist() == [61, 59]
    assert len(bad.values) == 61 + 59
    assert not np.shares_memory(bad.values, panel.values)
    for i in range(2):
        np.testing.assert_array_equal(bad.rows(i), panel.rows(i)[: bad.length[i]])
    with pytest.raises(ConfigError, match="what is known ahead would go too"):
        poisoned(panel_(), times(panel_(), [60])[0], "truncated")
    known = panel_()
    bad = poisoned(known, times(known, [60])[0], "truncated", ahead=4)
    assert bad.length.tolist() == [65, 63]
    for i in range(2):
        assert np.isnan(bad.rows(i)[-4:, :3]).all()
        np.testing.assert_array_equal(bad.rows(i)[:-4], known.rows(i)[: bad.length[i] - 4])
        np.testing.assert_array_equal(bad.rows(i)[:, 3], known.rows(i)[: bad.length[i], 3])
    with pytest.raises(ConfigError, match="Did you mean 'truncated'"):
        poisoned(panel, times(panel, [60])[0], "truncate")
    assert set(POISONS) == {"nan", "huge", "shuffled", "truncated"}

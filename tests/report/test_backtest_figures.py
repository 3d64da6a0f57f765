"""Pictures of a backtest: what is drawn is what was handed in, and nothing lies on anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from foretide.errors import ConfigError
from foretide.report.backtest_figures import calibration_figure, error_by_step_figure, fold_figure, skill_figure
from foretide.report.figures import write_png
from foretide.report.many_models import LONGEST, N_COLOURED, short_names
from foretide.report.style import COLOURS

MODELS = ["LAVAR", "CalendarES", "Ridge", "Attention", "LSTM", "SeasonalES", "TSB", "Croston", "SBA", "Drift", "A", "B"]
LONG = [f"Attention-with-a-very-long-name-of-experiment-2024-seed-{k}" for k in range(3)]
LEVELS = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
DAYS = pd.date_range("2023-01-05", periods=100, freq="3D")


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def lines(axes: Any) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()}


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def tidy(figure: Figure) -> None:
    """Titles, labels, tick labels and legends lie on the canvas and not on one another."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = figure.bbox.size
    boxes = [legend.get_window_extent(renderer) for legend in figure.legends]
    for axes in figure.axes:
        texts = [axes._left_title, axes.xaxis.label, axes.yaxis.label, axes.xaxis.offsetText]  # type: ignore[attr-defined]
        boxes += [text.get_window_extent(renderer) for text in texts if text.get_text()]
        ticks = [t for t in axes.get_xticklabels() if axes.get_xlim()[0] <= t.get_position()[0] <= axes.get_xlim()[1]]
        boxes += [text.get_window_extent(renderer) for text in ticks if text.get_text()]
        if axes.get_legend() is not None:
            boxes.append(axes.get_legend().get_window_extent(renderer))
        assert axes.get_window_extent(renderer).width > 0.25 * width / len(figure.axes)
    for i, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def twice_the_same(make: Any, tmp_path: Path) -> None:
    write_png(make(), tmp_path / "a.png")
    write_png(make(), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# ---------------------------------------------------------------- error by horizon step
def test_errors_by_step(tmp_path: Path) -> None:
    by_step = {name: 1 + 0.05 * k + 0.01 * np.arange(12.0) for k, name in enumerate(MODELS)}
    by_step["B"] = by_step["B"] * 10

    def make() -> Figure:
        return error_by_step_figure(
            by_step, freq="D", metric="MAE", unit="items", highlighted=["Ridge", "LSTM"], floor=np.full(12, 0.5)
        )

    figure = make()
    (axes,) = figure.axes
    assert axes.get_xlabel() == "horizon step: days after the cutoff →"
    assert axes.get_ylabel() == "MAE (items)"
    assert legend(axes) == ["oracle: the best possible", *MODELS[:-1], "B (leaves the picture)"]
    drawn = lines(axes)
    for name in MODELS[:-1]:
        np.testing.assert_array_equal(drawn[name], by_step[name])
    np.testing.assert_array_equal(drawn["oracle: the best possible"], np.full(12, 0.5))
    colours = {line.get_label(): line.get_color() for line in axes.get_lines()}
    assert (colours["Ridge"], colours["LSTM"]) == COLOURS[:2]
    assert not {colours[name] for name in MODELS[:2]} & set(COLOURS)
    looks = {(x.get_color(), str(x._dash_pattern), x.get_marker()) for x in axes.get_lines()}  # type: ignore[attr-defined]
    assert len(looks) == 13  # no two lines look the same
    tidy(figure)
    twice_the_same(make, tmp_path)


@pytest.mark.parametrize("h", [1, 2])
def test_one_step_has_one_tick_and_a_point(h: int) -> None:
    figure = error_by_step_figure(
        {name: np.arange(1.0, h + 1) for name in LONG}, freq="h", metric="RMSE", unit="kW", highlighted=LONG[:1]
    )
    (axes,) = figure.axes
    tidy(figure)
    low, high = axes.get_xlim()
    assert [t for t in axes.get_xticks() if low <= t <= high] == list(range(1, h + 1))
    assert all(line.get_marker() == "o" for line in axes.get_lines())
    assert legend(axes) == list(short_names(LONG).values())


# ---------------------------------------------------------------- skill by series
def test_skill_by_series(tmp_path: Path) -> None:
    skill = {"low": rng().normal(-0.3, 0.4, 336), "high": rng().normal(0.3, 0.2, 336), "none": np.full(336, np.nan)}
    skill["low"][:3] = [-5.0, -np.inf, np.nan]

    def make() -> Figure:
        return skill_figure(skill, metric="MAE")

    figure = make()
    (axes,) = figure.axes
    share = {name: np.mean([s > 0 for s in v if not np.isnan(s)]) for name, v in skill.items() if name != "none"}
    below = sum(s < -1 for s in skill["low"])
    assert legend(axes) == [
        f"high: {share['high']:.0%} above 0",
        f"low: {share['low']:.0%} above 0\n({below} below -1, 1 without a skill)",
        "none: no series has a skill",
    ]
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn[legend(axes)[0]], np.sort(skill["high"]))
    low = drawn[legend(axes)[1]]
    assert len(low) == 335
    assert low.min() == -1
    assert (np.diff(low) >= 0).all()
    assert axes.get_ylim() == (-1, 1)
    assert axes.get_xlim() == (0, 100)
    # The line crosses zero where the share of series below it ends.
    line = next(x for x in axes.get_lines() if str(x.get_label()).startswith("high"))
    above = np.asarray(line.get_xdata(), dtype=float)[np.asarray(line.get_ydata()) > 0]
    assert 100 - above.min() + 0.5 * 100 / 336 == pytest.approx(100 * share["high"])
    assert any(np.array_equal(y, [0, 0]) for y in drawn.values())
    assert "share of series in %" in axes.get_xlabel()
    assert axes.get_ylabel() == "skill in MAE (no unit; 1 is perfect) ↑"
    assert "each of 336 series" in axes.get_title(loc="left")
    tidy(figure)
    twice_the_same(make, tmp_path)


def test_skill_of_many_models_and_of_one_series() -> None:
    figure = skill_figure({name: rng().normal(-0.1 * k, 1, 336) for k, name in enumerate(MODELS)}, metric="MAE")
    (axes,) = figure.axes
    assert len(legend(axes)) == 12
    own = axes.get_lines()[1:]
    assert sum(line.get_color() in COLOURS for line in own) == N_COLOURED
    assert len({(x.get_color(), str(x._dash_pattern)) for x in own}) == 12  # type: ignore[attr-defined]
    tidy(figure)
    single = skill_figure({"LSTM": np.array([0.2])}, metric="MAE")
    assert legend(single.axes[0]) == ["LSTM: 100% above 0"]
    assert single.axes[0].get_lines()[1].get_marker() == "o"
    tidy(single)
    tidy(skill_figure({name: rng().normal(size=7) for name in LONG}, metric="weighted quantile loss"))


# ---------------------------------------------------------------- error by fold
def test_errors_by_fold(tmp_path: Path) -> None:
    base = 10 + rng().gamma(2, 1, 100)
    errors = {name: base + 0.1 * k + rng().normal(size=100) for k, name in enumerate(MODELS)}
    errors["LAVAR"] = base + np.where(np.arange(100) % 10 < 3, 0.5, -0.5)
    errors["CalendarES"] = base.copy()
    errors["LAVAR"][60] = 25.0
    errors["SBA"] = base * 8
    errors["TSB"][5] = 60.0

    def make() -> Figure:
        return fold_figure(
            DAYS, errors, best_model="LAVAR", baseline="CalendarES", metric="MAE", freq="D", unit="items"
        )

    figure = make()
    (axes,) = figure.axes
    assert axes.get_xlabel() == "cutoff of each fold, 2023-01-05 to 2023-10-29 (in days) →"
    assert axes.get_ylabel() == "MAE (items)"
    better = sum(b < m for b, m in zip(errors["CalendarES"], errors["LAVAR"], strict=True))
    assert legend(axes) == [
        f"CalendarES is better: {better} of 100 folds",
        "9 other models (1 in part above the picture)",
        "left out, above the picture: SBA",
        "LAVAR (best model)",
        "CalendarES (best baseline)",
        "worst fold of LAVAR:\ncutoff 2023-07-04, error 25",
    ]
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["LAVAR (best model)"], errors["LAVAR"])
    np.testing.assert_array_equal(drawn["CalendarES (best baseline)"], errors["CalendarES"])
    assert 25 < axes.get_ylim()[1] < 40
    colours = {line.get_label(): line.get_color() for line in axes.get_lines()}
    assert (colours["LAVAR (best model)"], colours["CalendarES (best baseline)"]) == COLOURS[:2]
    # Every fold in which the baseline is better lies in a shaded span, and no other does.
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]  # type: ignore[attr-defined]
    for day, mine, other in zip(date2num(DAYS), errors["LAVAR"], errors["CalendarES"], strict=True):
        assert any(low <= day <= high for low, high in spans) == (other < mine)
    worst = next(x for x in axes.get_lines() if str(x.get_label()).startswith("worst"))
    assert worst.get_xydata().tolist() == [[date2num(DAYS[60]), 25.0]]  # type: ignore[union-attr]
    tidy(figure)
    twice_the_same(make, tmp_path)


def test_few_folds_integer_times_and_missing_errors() -> None:
    one = fold_figure(
        DAYS[:1], {name: np.array([2.0 - k]) for k, name in enumerate(LONG[:2])},
        best_model=LONG[0], baseline=LONG[1], metric="MAE", freq="D", unit="kW",
    )  # fmt: skip
    assert [t.get_text() for t in one.axes[0].get_xticklabels()] == ["2023-01-05"]
    assert "1 of 1 folds" in legend(one.axes[0])[0]
    assert len(one.axes[0].patches) == 1
    tidy(one)
    two = fold_figure(
        np.array([0, 5]), {"A": np.array([1.0, np.nan]), "B": np.array([2.0, 2.5])},
        best_model="A", baseline="B", metric="MAE", freq=1, unit="kW",
    )  # fmt: skip
    assert two.axes[0].get_xlabel() == "cutoff of each fold, 0 to 5 (in steps) →"
    assert "worst fold of A:\ncutoff 0, error 1" in legend(two.axes[0])
    assert not two.axes[0].patches
    tidy(two)
    same = fold_figure(
        pd.date_range("2024-03-01", periods=30, freq="12h"), {"A": rng().gamma(3, 1, 30)},
        best_model="A", baseline="A", metric="MAE", freq="h", unit="kW",
    )  # fmt: skip
    assert legend(same.axes[0])[0] == "A (best model and baseline)"
    assert "2024-03-15 12:00 (in hours)" in same.axes[0].get_xlabel()
    tidy(same)
    zoned = fold_figure(
        list(pd.date_range("2024-03-30", periods=5, freq="D", tz="Europe/Berlin")), {"A": np.arange(5.0)},
        best_model="A", baseline="A", metric="MAE", freq="h", unit="kW",
    )  # fmt: skip
    assert zoned.axes[0].get_xlabel() == "cutoff of each fold, 2024-03-30 to 2024-04-03 (in hours) →"
    alone = fold_figure(
        [1, 2], {"A": np.ones(2), "B": np.zeros(2)}, best_model="A", baseline=None, metric="MAE", freq=1, unit="kW"
    )
    assert legend(alone.axes[0]) == ["B", "A (best model)", "worst fold of A:\ncutoff 1, error 1"]
    assert not alone.axes[0].patches
    none = fold_figure(
        np.arange(9), {"A": np.full(9, np.nan)}, best_model="A", baseline="A", metric="MAE", freq=1, unit="kW"
    )
    assert legend(none.axes[0]) == ["A (best model and baseline)"]


# ---------------------------------------------------------------- calibration
def table(shift: float, width: float) -> pd.DataFrame:
    middle = LEVELS ** (1 + shift)
    return pd.DataFrame({"level": LEVELS, "below": middle * (1 - width), "at_or_below": middle * (1 + width)})


EDGES = np.array([0.0, 0.025, 0.1, 0.5, 0.9, 0.975, 1.0])
NOMINAL = np.diff(EDGES)


def calibration(names: list[str], width: float, h: int = 12, level: float = 80) -> Figure:
    return calibration_figure(
        {name: table(0.1 * k, width) for k, name in enumerate(names)},
        {name: (EDGES, NOMINAL * np.linspace(1 + 0.1 * k, 1, 6), NOMINAL) for k, name in enumerate(names)},
        {name: 0.8 - 0.01 * k - 0.005 * np.arange(h) for k, name in enumerate(names)},
        level=level,
        freq="D",
    )


def test_calibration(tmp_path: Path) -> None:
    figure = calibration(MODELS, width=0.02)
    left, middle, right = figure.axes
    assert left.get_xlabel() == "nominal level of the quantile (fraction) →"
    assert left.get_ylabel() == "observed share of truths below it (fraction) ↑"
    assert middle.get_xlabel() == "probability integral transform (fraction) →"
    assert middle.get_ylabel() == "observed / expected share of truths (ratio) ↑"
    assert right.get_xlabel() == "horizon step: days after the cutoff →"
    assert right.get_ylabel() == "truths inside the 80 % interval (%) ↑"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*MODELS, "calibrated"]
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in left.get_lines()]
    np.testing.assert_array_equal(drawn[0], [0, 1])
    np.testing.assert_allclose(drawn[1], LEVELS)
    np.testing.assert_allclose(drawn[3], LEVELS**1.2)
    bands = left.collections
    assert len(bands) == 2  # of the first two models
    corners = bands[0].get_paths()[0].vertices
    for level in LEVELS:
        own = corners[np.isclose(corners[:, 0], level), 1]
        np.testing.assert_allclose([own.min(), own.max()], [0.98 * level, 1.02 * level])
    np.testing.assert_allclose(middle.patches[1].get_data().values, np.linspace(1.1, 1, 6))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(middle.patches[1].get_data().edges, EDGES)  # type: ignore[attr-defined]
    coverage = [np.asarray(line.get_ydata(), dtype=float) for line in right.get_lines()]
    np.testing.assert_array_equal(coverage[0], [80, 80])
    np.testing.assert_allclose(coverage[2], 79 - 0.5 * np.arange(12))
    low, high = right.get_ylim()
    assert low < 80 - 11 - 5.5
    assert high > 100
    tidy(figure)
    twice_the_same(lambda: calibration(MODELS, width=0.02), tmp_path)


def test_calibration_without_counts_of_one_model_and_of_long_names() -> None:
    one = calibration(["A"], width=0.0, h=1, level=95)
    left, _, right = one.axes
    assert not left.collections
    assert not left.texts
    low, high = right.get_xlim()
    assert [t for t in right.get_xticks() if low <= t <= high] == [1]
    assert "95 % interval" in right.get_ylabel()
    tidy(one)
    two = calibration_figure({"A": table(0.1, 0.05)}, {}, {"A": np.full(3, 0.9)}, level=80, freq="D")
    assert [a.get_title(loc="left") for a in two.axes] == ["Reliability of quantiles", "Coverage by horizon step"]
    tidy(two)
    many = calibration([f"{name}{k}" for k, name in enumerate(LONG * 4)], width=0.05)
    assert "band" in many.axes[0].texts[0].get_text()
    tidy(many)


def test_a_bin_without_share_and_a_very_high_one() -> None:
    nominal = np.array([0.0, 0.5, 0.5])
    pit = {"A": (np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.0, 0.1, 0.9 * 5]), nominal)}
    figure = calibration_figure({}, pit, {}, level=80, freq="h")
    (middle,) = figure.axes
    np.testing.assert_array_equal(middle.patches[0].get_data().values, [np.nan, 0.2, 9])  # type: ignore[attr-defined]
    assert middle.get_ylim() == (0, 4)
    assert middle.get_title(loc="left") == "PIT histogram (some bins above 4)"


# ---------------------------------------------------------------- shared
def test_long_names_lose_their_middle_unless_they_would_be_equal() -> None:
    short = short_names([*LONG, "LSTM"])
    assert short["LSTM"] == "LSTM"
    assert all(len(short[name]) == LONGEST for name in LONG)
    assert len(set(short.values())) == 4
    assert all(short[name].startswith(name[:10]) and short[name].endswith(name[-6:]) for name in LONG)
    twins = ["a" * 30 + middle + "b" * 30 for middle in "xy"]
    assert short_names(twins) == dict(zip(twins, twins, strict=True))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: skill_figure({}, metric="MAE"), "no model to draw"),
        (lambda: calibration_figure({}, {}, {}, level=80, freq="D"), "no model to draw"),
        (lambda: calibration(["A"], 0.0, level=0.8), "level is a percentage between 1 and 100, such as 80; got 0.8"),
        (
            lambda: error_by_step_figure({"LSTM": np.ones(2)}, freq="D", metric="a", unit="b", highlighted=["LSTN"]),
            "no model 'LSTN' to draw. Did you mean 'LSTM'",
        ),
        (
            lambda: fold_figure(
                [1], {"LSTM": np.ones(1)}, best_model="LSTM", baseline="x", metric="a", freq=1, unit="b"
            ),
            "no model 'x' to draw. Known: LSTM",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(make: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()

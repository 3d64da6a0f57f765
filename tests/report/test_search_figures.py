"""Pictures of a search: what is drawn is what was handed in, and nothing lies on anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from foretide.errors import ConfigError
from foretide.report.figures import write_png
from foretide.report.search_figures import history_figure, importance_figure, parallel_figure, slice_figure
from foretide.report.search_panels import BELOW, BEST
from foretide.report.search_trials import ceiling, finished, parameters, scale_of, wrapped
from foretide.report.style import COLOURS

MODELS = ["LSTM", "Attention", "Ridge", "LAVAR", "SeasonalES", "Attention-with-a-very-long-name-of-experiment-2024"]
LONG = "a_parameter_with_a_really_long_name_indeed"


def search(models: list[str], n: int) -> pd.DataFrame:
    """A table of trials in turn over the models; every seventh pruned, every eleventh failed."""
    g = np.random.default_rng(0)
    rows = []
    for k in range(n):
        model = models[k % len(models)]
        state = "pruned" if k % 7 == 3 else "failed" if k % 11 == 5 else "interrupted" if k % 23 == 9 else "complete"
        row = {"number": k, "model": model, "state": state, "value": np.nan, "seconds": 1.0, "seed": k, "error": None}
        row |= {"value": 0.5 + 0.3 * g.random()} if state == "complete" else {}
        if model != "SeasonalES":
            row |= {"lr": 10 ** g.uniform(-4, -1), "hidden": int(g.choice([16, 64, 256])), "cell": g.choice(["x", "y"])}
        if model == MODELS[-1]:
            row |= {LONG: g.choice(["a-choice-with-a-long-name", "another-choice-also-long"]), "lr": np.nan}
        rows.append(row)
    return pd.DataFrame(rows)


def small() -> pd.DataFrame:
    """Six trials of known values, out of order."""
    table = pd.DataFrame({
        "number": [0, 1, 2, 3, 4, 5, 6, 7], "model": ["A", "B", "A", "A", "B", "A", "A", "A"],
        "state": ["complete", "complete", "pruned", "complete", "failed", "complete", "interrupted", "complete"],
        "value": [3.0, 2.5, np.nan, 2.75, np.nan, 2.0, np.nan, 900.0], "seconds": 1.0, "seed": 0, "error": None,
        "lr": [0.1, np.nan, 0.01, 0.001, np.nan, 0.01, 0.1, 0.02], "size": [4, np.nan, 8, 8, np.nan, 4, 4, 8],
        "kind": ["b", None, "a", "a", None, "b", "a", "b"],
    })  # fmt: skip
    return table.iloc[::-1]


def all_of(state: str) -> pd.DataFrame:
    return search(MODELS[:2], 12).assign(state=state, value=np.nan)


def history(trials: pd.DataFrame, baseline: tuple[str, float] | None = ("SeasonalNaive", 2.6)) -> Figure:
    return history_figure(trials, metric="MAE", unit="kW", baseline=baseline)


def slices(trials: pd.DataFrame, model: str) -> Figure:
    return slice_figure(trials, model, metric="MAE", unit="kW", logs={"lr"})


def parallel(trials: pd.DataFrame, model: str) -> Figure:
    return parallel_figure(trials, model, metric="MAE", logs={"lr"})


def lines(axes: Any) -> dict[str, Any]:
    return {str(line.get_label()): line for line in axes.get_lines()}


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def tidy(figure: Figure) -> None:
    """Titles, labels, tick labels and legends lie on the canvas and not on one another."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = figure.bbox.size
    boxes = [t.get_window_extent(renderer) for t in (figure._suptitle, figure._supxlabel) if t]  # type: ignore[attr-defined]
    for axes in (a for a in figure.axes if a.get_visible() and a.axison):  # type: ignore[attr-defined]
        texts = [axes._left_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        boxes += [text.get_window_extent(renderer) for text in texts if text.get_text()]
        low, high = sorted(axes.get_xlim())
        ticks = [t for t in axes.get_xticklabels() if low <= t.get_position()[0] <= high]
        upright = [t for t in ticks if t.get_text() and not t.get_rotation()]
        boxes += [text.get_window_extent(renderer) for text in upright]
        if axes.get_legend() is not None:
            boxes.append(axes.get_legend().get_window_extent(renderer))
            assert axes.get_window_extent(renderer).width > 0.4 * width
    inside = [t.get_window_extent(renderer) for axes in figure.axes for t in axes.texts]
    for i, box in enumerate(boxes + inside):
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :] if i < len(boxes))


# ---------------------------------------------------------------- history
def test_history_shows_every_trial_and_the_best_so_far() -> None:
    (axes,) = history(small()).axes
    assert axes.get_xlabel() == "number of the trial, in order of its start →"
    assert axes.get_ylabel() == "MAE (kW; lower is better)"
    title = "History of the search: 8 trials (5 finished, 1 pruned, 1 failed, 1 interrupted)"
    assert axes.get_title(loc="left") == title
    assert legend(axes) == [
        "A: best 2, 4 of 6 finished", "B: best 2.5, 1 of 2 finished", "1 trial above the picture (worst 900)",
        "best so far", "best: trial 5, 2", "SeasonalNaive (best simple baseline): 2.6", "1 pruned", "1 failed",
        "1 interrupted",
    ]  # fmt: skip
    drawn = lines(axes)
    assert drawn["A: best 2, 4 of 6 finished"].get_xydata().tolist() == [[0, 3], [3, 2.75], [5, 2], [7, 900]]
    assert drawn["B: best 2.5, 1 of 2 finished"].get_color() == COLOURS[1]
    step = drawn["best so far"]
    assert step.get_drawstyle() == "steps-post"
    assert step.get_xydata().tolist() == [[0, 3], [1, 2.5], [3, 2.5], [5, 2], [7, 2], [7, 2]]
    assert drawn["best: trial 5, 2"].get_xydata().tolist() == [[5, 2]]
    assert list(drawn["SeasonalNaive (best simple baseline): 2.6"].get_ydata()) == [2.6, 2.6]
    rug = {line.get_gid(): (list(line.get_xdata()), line.get_color()) for line in axes.get_lines() if line.get_gid()}
    assert rug == {"pruned": ([2], COLOURS[0]), "failed": ([4], COLOURS[1]), "interrupted": ([6], COLOURS[0])}
    low, high = axes.get_ylim()
    assert low < 2 - 0.1  # room for the marks at the bottom
    assert 3 < high < 3.2
    tidy(history(small()))


def test_a_baseline_far_away_is_said_and_not_drawn_into_the_trials() -> None:
    for value, where in ((50.0, "above"), (-50.0, "below")):
        (axes,) = history(small(), ("Drift", value)).axes
        assert f"Drift (best simple baseline): {value:g}, {where} the picture" in legend(axes)
        assert axes.get_ylim()[0] > 1.5
        assert axes.get_ylim()[1] < 3.2
    (axes,) = history(small(), ("Drift", np.nan)).axes
    assert not any("Drift" in text for text in legend(axes))


@pytest.mark.parametrize("state", ["pruned", "failed", "interrupted", "running"])
def test_history_without_a_value(state: str) -> None:
    figure = history(all_of(state), None)
    (axes,) = figure.axes
    assert axes.texts[0].get_text() == "no trial has a value"
    assert f"12 {state}" in legend(axes)
    assert not len(axes.get_yticks())
    tidy(figure)
    (axes,) = history(all_of(state), ("Drift", 2.0)).axes
    assert axes.get_ylim()[0] < 2 < axes.get_ylim()[1]


def test_history_of_many_of_one_and_of_equal_trials() -> None:
    many = history(search(MODELS, 1200), ("SeasonalNaive", 0.6))
    axes = many.axes[0]
    looks = {(x.get_color(), x.get_marker()) for name, x in lines(axes).items() if name.endswith("finished")}
    assert len(looks) == 6
    tidy(many)
    one = history(search(["LSTM"], 1), None)
    assert one.axes[0].get_title(loc="left") == "History of the search: 1 trial (1 finished)"
    tidy(one)
    equal = search(MODELS[:2], 30)
    equal["value"] = equal["value"].where(equal["value"].isna(), 1.0)
    figure = history(equal, ("Drift", 1.0))
    assert figure.axes[0].get_ylim()[0] < 1 < figure.axes[0].get_ylim()[1]
    tidy(figure)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1.1, 1e6], 1.1),
        ([1.0, 1.2], 1.2),
        ([5.0], 5.0),
        ([1.0] * 8 + [1.001, 40.0], 1.001),
        ([*np.linspace(1, 2, 20), 2.9, 30.0, 1e9], 2.9),
        ([0.1, 10.0, 10.1, 10.2, 10.3], 10.3),  # a very good trial hides no other
    ],
)
def test_the_axis_ends_below_terrible_values(values: list[float], expected: float) -> None:
    assert ceiling(np.array(values)) == expected


def test_a_complete_trial_without_a_finite_value_is_counted_apart() -> None:
    trials = small()
    trials.loc[trials["number"] == 7, "value"] = np.inf
    (axes,) = history(trials).axes
    assert "1 without a finite value" in legend(axes)
    assert len(finished(trials)) == 4


# ---------------------------------------------------------------- importance
def test_importances_are_sorted_bars() -> None:
    figure = importance_figure({"A": {"b": 0.2, "lr": 0.7, "c": 0.1, "broken": np.nan}, "Naive": {}})
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [0.7, 0.2, 0.1]  # type: ignore[attr-defined]
    assert [t.get_text() for t in left.get_yticklabels()] == ["lr", "b", "c"]
    assert [t.get_text() for t in left.texts] == ["0.70", "0.20", "0.10"]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first bar is the upper one
    assert left.get_title(loc="left") == "A"
    assert right.texts[0].get_text().startswith("no importances known")
    label = "importance for the value of a trial (fraction; those of one model sum to 1) →"
    assert figure.get_supxlabel() == label
    tidy(figure)
    assert "sum to 1" not in importance_figure({"A": {"b": 0.2}}).get_supxlabel()


def test_importances_of_many_parameters_and_models() -> None:
    many = {f"p{k:02}": (k + 1) / 210 for k in range(20)}
    figure = importance_figure({**{name: {LONG: 0.6, "lr": 0.4} for name in MODELS}, "Big": many})
    big = next(axes for axes in figure.axes if axes.get_title(loc="left") == "Big")
    assert big.get_yticklabels()[-1].get_text() == "6 others together"
    assert big.patches[-1].get_width() == pytest.approx(sum(range(1, 7)) / 210)  # type: ignore[attr-defined]
    tidy(figure)
    tidy(importance_figure({"Naive": {}}))


# ---------------------------------------------------------------- slices
def test_slices_show_values_against_each_parameter() -> None:
    figure = slices(small(), "A")
    lr, size, kind = figure.axes[:3]
    heading = "A: 4 of 6 trials finished\nstar: the best, trial 5, 2; 1 above the picture: triangles"
    assert figure.get_suptitle() == heading
    assert [a.get_xlabel() for a in (lr, size, kind)] == ["lr (log scale) →", "size (choices)", "kind (choices)"]
    assert lr.get_ylabel() == "MAE\n(kW; lower is better)"
    assert lr.get_xscale() == "log"
    inside, above = lr.collections
    assert inside.get_offsets().tolist() == [[0.1, 3], [0.001, 2.75], [0.01, 2]]  # type: ignore[attr-defined]
    assert inside.get_array().tolist() == [0, 3, 5]  # type: ignore[union-attr]
    assert above.get_offsets()[:, 0].tolist() == [0.02]  # type: ignore[call-overload]
    assert [t.get_text() for t in size.get_xticklabels()] == ["4", "8"]
    assert [t.get_text() for t in kind.get_xticklabels()] == ["a", "b"]
    assert kind.collections[0].get_offsets().tolist() == [[1, 3], [0, 2.75], [1, 2]]  # type: ignore[attr-defined]
    for axes, at in ((lr, 0.01), (size, 0), (kind, 1)):
        (star,) = axes.get_lines()
        assert star.get_xydata().tolist() == [[at, 2]]  # type: ignore[union-attr]
        assert star.get_color() == BEST
    early, late = (sum(inside.cmap(inside.norm(k))[:3]) for k in (0, 5))
    assert late < early
    assert "later: darker" in figure.axes[-1].get_ylabel()
    tidy(figure)


def test_slices_say_where_a_parameter_is_missing() -> None:
    trials = search(["LSTM"], 40)
    trials.loc[trials.index % 4 == 0, ["lr", "cell"]] = np.nan
    n = sum(k % 4 == 0 for k in finished(trials)["number"])
    figure = slices(trials, "LSTM")
    lr, _, cell = figure.axes[:3]
    assert lr.get_xlabel() == f"lr (log scale) →\n{n} trials without it are not shown"
    assert [t.get_text() for t in cell.get_xticklabels()] == ["x", "y", "none"]
    tidy(figure)


# ---------------------------------------------------------------- parallel coordinates
def test_parallel_coordinates() -> None:
    figure = parallel(small(), "A")
    (axes,) = figure.axes
    labels = [t.get_text() for t in axes.get_xticklabels()]
    assert labels == ["lr\n(log scale)", "size", "kind", "MAE\n(lower is better)"]
    assert axes.get_title(loc="left") == "A: 4 of 6 trials finished\norange: the best, trial 5, 2"
    # Worst first: trials 0 (3) and 7 (900, cut to 3), then 3 (2.75), then the best.
    paths = [segment[:, 1] for segment in axes.collections[0].get_segments()]  # type: ignore[attr-defined]
    np.testing.assert_allclose(paths[0], [1, 0, 1, 1])
    np.testing.assert_allclose(paths[1], [np.log10(20) / 2, 1, 1, 1])
    np.testing.assert_allclose(paths[2], [0, 1, 0, 0.75])
    np.testing.assert_allclose(paths[3], [0.5, 0, 1, 0])
    best = lines(axes)["best"]
    np.testing.assert_allclose(best.get_ydata(), paths[3])
    assert best.get_zorder() == max(line.get_zorder() for line in axes.get_lines())
    colours = axes.collections[0].get_colors()  # type: ignore[attr-defined]
    lightness = colours[:, :3].sum(axis=1)
    assert lightness[3] < lightness[2] < lightness[0] == lightness[1]
    texts = [t.get_text() for t in axes.texts]
    assert texts[:7] == ["0.001", "0.01", "0.1", "4", "8", "a", "b"]
    assert texts[7] == "2"
    assert texts[-1] == "3 or\nmore (2 trials)"
    tidy(figure)


def test_parallel_coordinates_of_missing_and_equal_values() -> None:
    trials = search(["LSTM"], 40)
    trials.loc[trials.index % 4 == 0, "lr"] = np.nan
    trials["value"] = trials["value"].where(trials["value"].isna(), 1.0)
    (axes,) = parallel(trials, "LSTM").axes
    done = finished(trials)
    paths = np.array([segment[:, 1] for segment in axes.collections[0].get_segments()])  # type: ignore[attr-defined]
    assert ((paths[:, 0] == BELOW) == (done["number"] % 4 == 0)).all()
    assert (paths[:, -1] == 0.5).all()
    assert axes.texts[0].get_text() == "none"
    assert axes.texts[-1].get_text() == "1"


@pytest.mark.parametrize("draw", [slices, parallel])
def test_edges_of_slices_and_parallel_coordinates(draw: Any) -> None:
    many = search(MODELS, 240)
    for model in MODELS:
        tidy(draw(many, model))
    for k in (8, 9):
        wide = search(["LSTM"], 60).assign(**{f"parameter_number_{i}": np.linspace(0, i + 1, 60) for i in range(k - 3)})
        tidy(draw(wide, "LSTM"))
    tidy(draw(search(["LSTM"], 1), "LSTM"))
    assert draw(many, "SeasonalES").axes[0].texts[0].get_text() == "no parameter was searched"
    assert draw(all_of("failed"), "LSTM").axes[0].texts[0].get_text() == "no trial has a value: 6 failed"
    with pytest.raises(ConfigError, match="There is no model 'LSTN' to draw. Did you mean 'LSTM'"):
        draw(many, "LSTN")


# ---------------------------------------------------------------- shared
def test_pictures_are_the_same_to_the_byte_and_the_table_is_left_alone(tmp_path: Path) -> None:
    trials = small()
    before = trials.copy()
    for make in (
        lambda: history(trials),
        lambda: importance_figure({"A": {"lr": 0.5, "b": 0.5}}),
        lambda: slices(trials, "A"),
        lambda: parallel(trials, "A"),
    ):
        for name in ("a.png", "b.png"):
            write_png(make(), tmp_path / name)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    pd.testing.assert_frame_equal(trials, before)


def test_names_are_drawn_letter_by_letter() -> None:
    trials = small().rename(columns={"lr": "$lr$_{x}"}).replace({"model": {"A": "_A$1$", "B": "$\\frac$"}})
    for figure in (history(trials), slices(trials, "_A$1$"), parallel(trials, "_A$1$")):
        tidy(figure)  # a formula would not be understood
    assert legend(history(trials).axes[0])[0] == r" _A\$1\$: best 2, 4 of 6 finished"
    assert wrapped("weight_decay_of_encoder", 15) == "weight_decay_\nof_encoder"
    assert wrapped("a-choice-with-a-long-name", 12, 1) == "a-choi…-name"
    assert max(map(len, wrapped(LONG * 2, 15, 3).split("\n"))) <= 15


def test_parameters_and_their_scales() -> None:
    assert parameters(small(), "A") == ["lr", "size", "kind"]
    assert parameters(small(), "B") == []
    few = scale_of("n", [64, 8, 8, 64.0], log=True)
    assert (few.kind, few.choices, few.values.tolist()) == ("choice", ("8", "64"), [1, 0, 0, 1])
    assert scale_of("n", [1, 2, 3], log=False).kind == "linear"
    assert scale_of("n", [0, 2, 3], log=True).kind == "linear"
    assert scale_of("n", [True, False, None], log=False).choices == ("False", "True", "none")
    assert scale_of("n", [(32, 16), [8]], log=False).choices == ("(32, 16)", "[8]")
    assert scale_of("n", [65536] * 2, log=False).choices == ("65536",)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: history(small().iloc[:0]), "There is no trial to show"),
        (lambda: history(small().drop(columns=["state", "seed"])), "number, .*; this one lacks state, seed"),
        (lambda: importance_figure({}), "no model to draw"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said(make: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()

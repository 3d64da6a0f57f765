"""Pictures of a backtest: error by horizon step, skill by series, error by fold, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.report.calibration_figure import calibration_figure
from foretide.report.figures import OVERLAID, draw_by_step
from foretide.report.many_models import known, legend_beside, model_styles, new_figure, short_names, something
from foretide.report.style import COLOURS, QUIET, TRUTH, tidy
from foretide.text import phrase, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

__all__ = ["calibration_figure", "error_by_step_figure", "fold_figure", "skill_figure"]


# -------------------------------------------------------------------- error by horizon step
def error_by_step_figure(
    by_step: Mapping[str, Floats],
    *,
    freq: str | int,
    metric: str,
    unit: str,
    highlighted: Sequence[str],
    floor: Floats | None = None,
) -> Figure:
    """Draw the error of each model by horizon step.

    Parameters
    ----------
    by_step : mapping
        Model -> error ``[H]``, best first.
    freq : str or int
        Step of the grid, for the labels.
    metric, unit : str
        What the error is, and in what it is measured.
    highlighted : sequence of str
        Models in colour, in this order; the others are grey.
    floor : float array ``[H]``, optional
        Error of the best possible forecast, where it is known.

    Raises
    ------
    ConfigError
        For no model, and for a highlighted one without errors.
    """
    something(by_step)
    for name in highlighted:
        known(name, by_step)
    figure = new_figure(11, max(4.6, 1.4 + 0.22 * len(by_step)))
    axes = figure.subplots()
    labels = short_names(by_step)
    if floor is not None:
        steps = np.arange(1, len(floor) + 1)
        marker = "o" if len(floor) == 1 else None
        axes.plot(
            steps, floor, color=TRUTH, linewidth=1.4, linestyle=":", marker=marker, zorder=4,
            label="oracle: the best possible",
        )  # fmt: skip
    colours = {labels[name]: COLOURS[k % len(COLOURS)] for k, name in enumerate(highlighted)}
    draw_by_step(axes, {labels[name]: np.asarray(values) for name, values in by_step.items()}, colours)
    axes.set_xlabel(f"horizon step: {unit_of(freq)} after the cutoff →")
    axes.set_ylabel(f"{metric} ({unit})")
    axes.set_title(f"Error by horizon step: {metric} over all folds and series", loc="left", fontsize=11)
    return figure


# -------------------------------------------------------------------- skill by series
def skill_figure(skill: Mapping[str, Floats], *, metric: str) -> Figure:
    """Draw the skill of each model on every series, each model's series sorted from worst to best.

    The axis ends at -1 and 1; what lies beyond is drawn at its end, and the legend says how many series these are.
    A series without a skill (NaN) is left out, and the legend says so too.

    Parameters
    ----------
    skill : mapping
        Model -> skill ``[S]`` against each series' best baseline: ``1 - error / error of the baseline``.
    metric : str
        What the errors are.
    """
    something(skill)
    values = {name: np.sort(np.asarray(v, dtype=np.float64)[~np.isnan(v)]) for name, v in skill.items()}
    share = {name: float((v > 0).mean()) if v.size else -1.0 for name, v in values.items()}
    order = sorted(values, key=lambda name: -share[name])
    labels, styles = short_names(order), model_styles(order)
    figure = new_figure(11, max(5.0, 1.6 + 0.36 * len(order)))
    axes = figure.subplots()
    axes.axhline(0, color=TRUTH, linewidth=1.0, zorder=2)
    for name in order:
        own = values[name]
        at = 100 * (np.arange(len(own)) + 0.5) / max(len(own), 1)
        style = {**styles[name], "marker": styles[name]["marker"] if len(own) <= 40 else None}
        axes.plot(
            at, np.clip(own, -1, 1), markersize=3.5, clip_on=False,
            label=_skill_words(labels[name], own, np.size(skill[name])), **style,
        )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(-1, 1)
    axes.set_xlabel("share of series in %, each model's own order: worst on the left, best on the right →")
    axes.set_ylabel(f"skill in {metric} (no unit; 1 is perfect) ↑")
    n = max(np.size(v) for v in skill.values())
    what = "series against its" if n == 1 else f"of {n} series against its own"
    axes.set_title(f"Skill on each {what} best baseline: above 0 the model is better", loc="left", fontsize=11)
    tidy(axes)
    legend_beside(axes, "most series above 0 first")
    return figure


def _skill_words(label: str, values: Floats, n: int) -> str:
    """Legend of one model; a second line where some series cannot be seen."""
    if not values.size:
        return f"{label}: no series has a skill"
    text = f"{label}: {(values > 0).mean():.0%} above 0"
    beyond = [f"{int(count)} {where}" for count, where in (((values < -1).sum(), "below -1"),) if count]
    beyond += [f"{int((values > 1).sum())} above 1"] if (values > 1).any() else []
    beyond += [f"{n - len(values)} without a skill"] if n > len(values) else []
    return text + (f"\n({', '.join(beyond)})" if beyond else "")


# -------------------------------------------------------------------- error by fold
def fold_figure(
    times: Any,
    errors: Mapping[str, Floats],
    *,
    best_model: str,
    baseline: str | None,
    metric: str,
    freq: str | int,
    unit: str,
) -> Figure:
    """Draw the error of each fold over time: best model and best baseline in colour, all others in grey.

    Folds in which the baseline is better are shaded, and the fold in which the best model errs most is marked.

    Parameters
    ----------
    times : times ``[F]``
        Cutoff of each fold, oldest first; those with a zone are shown as their wall clock does.
    errors : mapping
        Model -> error ``[F]``; NaN where a fold has none.
    best_model : str
        Of ``errors``.
    baseline : str, optional
        Of ``errors``; may be the best model itself. None: nothing is shaded.
    metric, unit : str
        What the error is, and in what it is measured.
    freq : str or int
        Step of the grid, for the labels.

    Raises
    ------
    ConfigError
        For a name that ``errors`` does not hold.
    """
    something(errors)
    known(best_model, errors)
    known(best_model if baseline is None else baseline, errors)
    at, labels = _wall_times(times), short_names(errors)
    values = {name: np.asarray(v, dtype=np.float64) for name, v in errors.items()}
    coloured = list(dict.fromkeys((best_model, baseline or best_model)))
    quiet = {name: v for name, v in values.items() if name not in coloured}
    limit = _limit([values[name] for name in coloured], list(quiet.values()))
    figure = new_figure(11, 4.8)
    axes = figure.subplots()
    if baseline is not None:
        _shade(axes, at, values[baseline] < values[best_model], f"{labels[baseline]} is better")
    _draw_quiet(axes, at, quiet, labels, limit)
    roles = ["best model and baseline"] if best_model == baseline else ["best model", "best baseline"]
    for name, role, colour, dashes in zip(coloured, roles, COLOURS, OVERLAID, strict=False):
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.7, "markersize": 3.5}
        axes.plot(at, values[name], marker=_marker(at), label=f"{labels[name]} ({role})", **style)
    _mark_worst(axes, at, values[best_model], labels[best_model])
    axes.set(xlabel=_fold_label(at, freq), ylabel=f"{metric} ({unit})", ylim=(0, limit * 1.08))
    title = f"Error of each fold over time: {metric}, {phrase('fold', len(at))}"
    axes.set_title(title, loc="left", fontsize=11)
    _tidy_times(axes, at)
    legend_beside(axes)
    return figure


def _draw_quiet(axes: Axes, at: Any, errors: Mapping[str, Floats], labels: Mapping[str, str], limit: float) -> None:
    """Draw models in grey under one legend; those mostly above the picture are named there instead."""
    above = [name for name, values in errors.items() if _median(values) > limit]
    shown = [name for name in errors if name not in above]
    cut = sum(bool((errors[name] > limit).any()) for name in shown)
    for k, name in enumerate(shown):
        axes.plot(
            at, errors[name], color=QUIET, alpha=0.6, linewidth=0.8, marker=_marker(at), markersize=2, zorder=1.5,
            label=_quiet_words(labels[name], len(shown), cut) if k == 0 else None,
        )  # fmt: skip
    if above:
        text = f"{len(above)} models" if len(above) > 1 else labels[above[0]]
        axes.plot([], [], linestyle="none", label=f"left out, above the picture: {text}")


def _marker(at: Any) -> str | None:
    return "o" if len(at) <= 40 else None


def _wall_times(times: Any) -> NDArray[Any]:
    """Return times as an array of dates without a zone, as a clock on the wall shows them, or of integers."""
    index = pd.Index(times)
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        index = index.tz_localize(None)
    return np.asarray(index)


def _median(errors: Floats) -> float:
    return float(np.nanmedian(errors)) if not np.isnan(errors).all() else np.nan


def _quiet_words(label: str, n: int, cut: int) -> str:
    """Legend of all grey models together."""
    return (f"{n} other models" if n > 1 else label) + (f" ({cut} in part above the picture)" if cut else "")


def _fold_label(at: Any, freq: str | int) -> str:
    return f"cutoff of each fold, {_shown(at[0])} to {_shown(at[-1])} (in {unit_of(freq)}) →"


def _shown(time: Any) -> str:
    """Return a time as text, to the minute, or to the day at midnight."""
    if not isinstance(time, np.datetime64):
        return str(time)
    return str(np.datetime_as_string(time, unit="m")).replace("T", " ").removesuffix(" 00:00")


def _limit(coloured: Sequence[Floats], quiet: Sequence[Floats]) -> float:
    """End of the error axis: the coloured lines lie inside, and others that are not far above them."""
    inside = [float(v[np.isfinite(v)].max()) for v in coloured if np.isfinite(v).any()]
    limit = max(inside, default=1.0)
    others = [float(np.nanmax(v)) for v in quiet if np.isfinite(v).any()]
    return max([limit, *(v for v in others if v <= 1.5 * limit)]) or 1.0


def _shade(axes: Axes, at: Any, chosen: NDArray[np.bool_], what: str) -> None:
    """Shade the time around each chosen fold, halfway to its neighbours."""
    if not chosen.any():
        return
    if len(at) > 1:
        middle = at[:-1] + (at[1:] - at[:-1]) / 2
        edges = np.concatenate([at[:1] - (middle[:1] - at[:1]), middle, at[-1:] + (at[-1:] - middle[-1:])])
    else:
        half = np.timedelta64(12, "h") if at.dtype.kind == "M" else 0.5
        edges = np.concatenate([at - half, at + half])
    starts = np.flatnonzero(chosen & ~np.concatenate([[False], chosen[:-1]]))
    ends = np.flatnonzero(chosen & ~np.concatenate([chosen[1:], [False]]))
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        label = f"{what}: {int(chosen.sum())} of {len(at)} folds" if k == 0 else None
        axes.axvspan(edges[start], edges[end + 1], color=COLOURS[1], alpha=0.14, linewidth=0, zorder=0.5, label=label)


def _mark_worst(axes: Axes, at: Any, errors: Floats, label: str) -> None:
    if not np.isfinite(errors).any():
        return
    worst = int(np.nanargmax(np.where(np.isfinite(errors), errors, np.nan)))
    text = f"worst fold of {label}:\ncutoff {_shown(at[worst])}, error {errors[worst]:.4g}"
    axes.plot(
        at[worst : worst + 1], errors[worst : worst + 1], linestyle="none", marker="o", markersize=11, zorder=4,
        markerfacecolor="none", markeredgecolor=TRUTH, label=text,
    )  # fmt: skip


def _tidy_times(axes: Axes, at: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    tidy(axes)
    if len(at) <= 4:
        axes.set_xticks(at, [_shown(time) for time in at])
    elif at.dtype.kind == "M":
        locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        # The offset (a year or day at the end of the axis) would lie on the label, which holds first and last time.
        formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(formatter)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))

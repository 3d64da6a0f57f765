"""A backtest in words: the verdict first, then the leaderboard, the folds, the tests, the pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretide.report.summary import markdown, model_lines, shown_columns, table
from foretide.text import number, time_text, unit_of

if TYPE_CHECKING:
    import pandas as pd

MORE = ("series_won", "p_vs_best_baseline")
"""Columns of a backtest's leaderboard that a single split does not have."""


@dataclass(frozen=True)
class BacktestFacts:
    """What the summary is written from.

    Attributes
    ----------
    name : str
    run : mapping
        What ``run.json`` holds.
    leaderboard, folds, comparisons : DataFrame
        Best first; per model over folds; each model beside the best baseline.
    ranks : DataFrame or None
        Mean ranks over series.
    pictures : mapping
        File name -> what it shows.
    """

    name: str
    run: Mapping[str, Any]
    leaderboard: pd.DataFrame
    folds: pd.DataFrame
    comparisons: pd.DataFrame
    ranks: pd.DataFrame | None
    pictures: Mapping[str, str]


def write_backtest_summary(facts: BacktestFacts) -> str:
    """Return the summary as Markdown."""
    run, folds, freq = facts.run, facts.run["folds"], facts.run["data"]["freq"]
    error = "MSE" if run["counts"] else "RMSE"
    parts = [
        f"# {facts.name}: backtest",
        f"**{run['verdict']}**",
        "## Scores",
        f"{folds['n']} folds of {run['h']} {unit_of(freq, plural=run['h'] > 1)}, cutoffs {_every(folds['step'], freq)} "
        f"from {folds['first_cutoff']} to {folds['last_cutoff']}, {_fits(folds)}; {run['windows']} windows, the same "
        "for all models; original units. Best first; * marks a baseline.",
        table(facts.leaderboard, run["models"], (*shown_columns(run), *(MORE if run["series"] > 1 else MORE[1:]))),
        f"`skill vs best baseline`: the share of the best baseline's {error} that is saved. {_won(run['series'])}"
        "`p vs best baseline`: Diebold–Mariano test on the mean losses by cutoff, two-sided.",
        "## From fold to fold",
        _fold_table(facts.folds, error),
        *(["## More than chance", _comparison_table(facts.comparisons)] if len(facts.comparisons) else []),
        *(
            ["## Ranks over series", _rank_words(facts.ranks), _rank_table(facts.ranks)]
            if facts.ranks is not None
            else []
        ),
        "## Pictures",
        *(f"![{name}]({name})\n\n`{name}`: {text}" for name, text in facts.pictures.items()),
        "## Data",
        run["data"]["panel"],
        *(["## Left out, and other notes", "\n".join(f"- {note}" for note in run["notes"])] if run["notes"] else []),
        "## Models",
        model_lines(run["models"]),
        "## How it was made",
        f"`settings.yaml` repeats it: `foretide backtest settings.yaml --out again`. {run['seconds']:.1f} s in all; "
        f"versions: {', '.join(f'{k} {v}' for k, v in run['about']['versions'].items())}. "
        '`ft.Scorecard.load("this folder")` reads the figures back.',
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _won(series: int) -> str:
    if series < 2:
        return ""
    return (
        "`series won`: the share of series on which a model beats that series' best baseline, chosen with hindsight. "
    )


def _every(step: int, freq: str | int) -> str:
    unit = unit_of(freq, plural=step > 1)
    return f"every {unit}" if step == 1 else f"every {step} {unit}"


def _fits(folds: Mapping[str, Any]) -> str:
    if folds["fits"] == 1:
        return "models fitted once, before the first cutoff"
    kind = "expanding" if folds["train_size"] is None else f"the last {folds['train_size']} steps of"
    return f"models fitted {folds['fits']} times, on {kind} past"


def _fold_table(folds: pd.DataFrame, error: str) -> str:
    columns = ["mean", "sd", "p95", "worst"]
    rows = [
        [str(line["model"]), *(number(line[c]) for c in columns), time_text(line["worst_cutoff"])]
        for line in folds.sort_values("mean").to_dict("records")
    ]
    return markdown([f"{error} by fold", "mean", "sd", "95th percentile", "worst", "after"], rows)


def _comparison_table(comparisons: pd.DataFrame) -> str:
    rows = [
        [
            str(line["model"]), f"{line['relative']:+.1%}", f"{number(line['low_95'])} to {number(line['high_95'])}",
            _p(line["p_value"]), _p(line["p_holm"]),
        ]
        for line in comparisons.sort_values("difference").to_dict("records")
    ]  # fmt: skip
    first = comparisons.iloc[0]
    head = [f"{first['loss'].upper()} against {first['baseline']}", "difference", "95 % interval", "p", "p (Holm)"]
    return (
        f"Mean losses of {int(first['n_cutoffs'])} cutoffs; a negative difference is better. The interval is that of "
        "the difference, from the test, in units of the loss; the last column is corrected for the number of "
        "models.\n\n" + markdown(head, rows)
    )


def _rank_words(ranks: pd.DataFrame) -> str:
    first = ranks.iloc[0]
    return (
        f"Mean rank over {int(first['n_series'])} series (Friedman test {_p(first['friedman_p'], True)}); ranks closer "
        f"than the critical difference {first['critical_difference']:.2f} are not told apart (Demšar 2006)."
    )


def _rank_table(ranks: pd.DataFrame) -> str:
    rows = [
        [str(line["model"]), f"{line['mean_rank']:.2f}", "yes" if line["distinguishable_from_best"] else "no"]
        for line in ranks.to_dict("records")
    ]
    return markdown(["model", "mean rank", "told apart from the best"], rows)


def _p(value: float, named: bool = False) -> str:
    if not math.isfinite(value):
        return "–"
    small = value < 0.001
    text = "< 0.001" if small else f"{value:.3f}"
    return text if not named else f"p {text}" if small else f"p = {text}"

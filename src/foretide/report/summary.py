"""A run in words: the verdict first, then the table, the pictures, and what was done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from foretide.text import number, unit_of

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("rmse", "mae", "mase", "bias", "skill_vs_best_baseline", "ratio_to_oracle", "unused")
SHOWN_COUNTS = (
    "mse", "mae", "rmsse", "wql", "crps", "coverage_80", "coverage_95", "fair_coverage_80", "winkler_80",
    "zero_accuracy", "skill_vs_best_baseline", "ratio_to_oracle", "wql_ratio_to_oracle", "unused",
)  # fmt: skip
"""Where every target is a count: distributions matter beside means."""
TEXTS = ("unused",)
"""Columns of the leaderboard that hold text."""
WRAPPED = {
    "WithIntervals": "the intervals of its past errors", "Conformal": "conformal intervals",
    "PerEntity": "a model per entity",
}  # fmt: skip
BY_BUCKET = ("mse", "wql", "coverage_80", "fair_coverage_80", "zero_accuracy")


def shown_columns(run: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of the leaderboard that a run shows."""
    return SHOWN_COUNTS if run.get("counts") else SHOWN


@dataclass(frozen=True)
class Facts:
    """What the summary is written from.

    Attributes
    ----------
    name : str
    verdict : str
        How the best model stands beside the best baseline, in words made from the figures.
    panel : str
        The panel in one line.
    run : mapping
        What ``run.json`` holds.
    leaderboard : DataFrame
        ``model`` and one column per metric, best first.
    pictures : mapping
        File name -> what it shows.
    buckets : DataFrame, optional
        Of counts: ``model, bucket`` and one column per metric.
    sections : mapping
        Title -> text in Markdown, for what only some runs have.
    """

    name: str
    verdict: str
    panel: str
    run: Mapping[str, Any]
    leaderboard: pd.DataFrame
    pictures: Mapping[str, str]
    buckets: pd.DataFrame | None = None
    sections: Mapping[str, str] = field(default_factory=dict)


def write_summary(facts: Facts) -> str:
    """Return the summary as Markdown."""
    run, board = facts.run, facts.leaderboard
    parts = [
        f"# {facts.name}",
        f"**{facts.verdict}** One split and one test part: a difference of a few percent may be chance.",
        "## Scores on the test part",
        f"{run['test_windows']} windows of {run['h']} {unit_of(run['data']['freq'], plural=run['h'] > 1)}, the same "
        "for all models; original units; pooled over windows, steps and series. Best first; * marks a baseline.",
        table(board, run["models"], shown_columns(run)),
        _reading(board, run),
        *(
            ["## By density", _bucket_words(run), bucket_table(facts.buckets, list(board["model"]))]
            if facts.buckets is not None
            else []
        ),
        *(part for title, text in facts.sections.items() for part in (f"## {title}", text)),
        "## Pictures",
        *(f"![{name}]({name})\n\n`{name}`: {text}" for name, text in facts.pictures.items()),
        "## Data",
        facts.panel,
        _data_lines(run),
        "## Models",
        model_lines(run["models"]),
        "## How it was made",
        f"`settings.yaml` repeats the run: `foretide run settings.yaml --out again`. {run['seconds']:.1f} s in all; "
        f"threads: {_inline(run['threads'])}. Versions: {_inline(run['versions'])}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(board: pd.DataFrame, models: Mapping[str, Mapping[str, Any]], shown: Sequence[str] = SHOWN) -> str:
    """Return the leaderboard as a Markdown table."""
    columns = [c for c in shown if c in board.columns and board[c].notna().any()]
    head = ["model", *(c.replace("_", " ") for c in columns), "fit, s", "forecast, s"]
    rows = []
    for line in board.to_dict("records"):
        about = models.get(str(line["model"]), {})
        star = " *" if about.get("baseline") else ""
        times = [number(about.get("fit_seconds")), number(about.get("predict_seconds"))]
        rows.append([f"{line['model']}{star}", *(_cell(c, line[c]) for c in columns), *times])
    return markdown(head, rows)


def bucket_table(buckets: pd.DataFrame, models: Sequence[str]) -> str:
    """Return figures by density bucket as a Markdown table: one row per model, a column per figure and bucket."""
    names = list(dict.fromkeys(buckets["bucket"]))
    columns = [(metric, name) for metric in BY_BUCKET if metric in buckets.columns for name in names]
    known = buckets.set_index(["model", "bucket"])
    columns = [(m, b) for m, b in columns if known.xs(b, level="bucket")[m].notna().any()]
    rows = [[str(model), *(_cell(m, known.loc[(model, b), m]) for m, b in columns)] for model in models]
    return markdown(["model", *(f"{m.replace('_', ' ')}, {b}" for m, b in columns)], rows)


def _bucket_words(run: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{n} {name}" for name, n in run["buckets"].items())
    return (
        f"Series by their nonzero rate in the training part: {sizes}. Dense is a rate of at least 70 %, ultra "
        "(ultra-sparse) at most 0.5 %, sparse what lies between."
    )


def _reading(board: pd.DataFrame, run: Mapping[str, Any]) -> str:
    error = "MSE" if run.get("counts") else "RMSE"
    lines = [
        f"`skill vs best baseline`: the share of the best baseline's {error} that is saved; below 0 % the model is "
        "worse."
    ]
    if run.get("counts"):
        lines.append(
            "`wql`: weighted quantile loss, the mean over the quantiles 0.1 to 0.9; `coverage 80`: the share of truths "
            "inside the 80 % interval (whole numbers cover more than 80 % where counts are small); `winkler 80`: its "
            'width plus a penalty for misses; `zero accuracy`: how often "none or some" is right. – where a '
            "model gives no quantiles."
        )
    elif "mase" in board.columns:
        lines.append("MASE below 1 beats the seasonal naive forecast's own error on the training part.")
    if "ratio_to_oracle" in board.columns:
        lines.append(
            f"`ratio to oracle`: {error} over that of the conditional mean given everything up to the cutoff, which no "
            "model can beat on average; exact with the generator's extra traits at zero."
        )
    return " ".join(lines)


def _data_lines(run: Mapping[str, Any]) -> str:
    data, parts = run["data"], run["parts"]
    roles = [("forecast", data["targets"]), ("known up to the cutoff", data["past"]), ("known ahead", data["future"])]
    lines = [f"- {what}: {', '.join(names)}" for what, names in roles if names]
    when = f"train {parts['start']} to {parts['train_until']}, validation to {parts['val_until']}, "
    when = "every series has parts of its own: " if parts.get("own") else when
    lines.append(f"- {when}test to {parts['test_until']}; models saw train and validation only")
    if data["missing_cells"]:
        lines.append(f"- {data['missing_cells']} missing cells, masked")
    return "\n".join([*lines, *(f"- {note}" for note in run.get("notes", ()))])


def model_lines(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line per model: what it is and its settings."""
    lines = []
    for name, about in models.items():
        kind, settings = about["class"], about["settings"]
        if kind in WRAPPED:
            ((inner, settings),) = settings["model"].items()
            kind = f"{inner} with {WRAPPED[kind]}"
        given = {k: v for k, v in settings.items() if v is not None and k != "alias"}
        lines.append(f"- **{name}** ({kind}): {_inline(given)}")
    return "\n".join(lines)


def _inline(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in values.items() if v is not None)


def _cell(column: str, value: Any) -> str:
    if column in TEXTS:
        return value if isinstance(value, str) else ""
    if (
        column.startswith(("skill", "coverage", "fair", "zero", "series_won"))
        and value is not None
        and math.isfinite(value)
    ):
        return f"{value:.1%}"
    return number(value)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

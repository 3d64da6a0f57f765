"""What is said and tabled of a run or backtest: verdict, leaderboard, tests, densities, models, settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from foretide.evaluation.cards.board import column_of_board
from foretide.evaluation.metrics.table import shown_metrics
from foretide.report.section import Column, Folded, Kind, Section, Table, text_of
from foretide.text import phrase, unit_of

if TYPE_CHECKING:
    from foretide.report.content import Content
    from foretide.typing import Json

BESIDE = ("skill_vs_best_baseline", "ratio_to_oracle", "wql_ratio_to_oracle", "unused")
"""Columns of a leaderboard that are shown beside its metrics."""
BACKTEST = ("series_won", "p_vs_best_baseline", "worst_fold")
"""Columns of a backtest's leaderboard that a single split does not have."""
BY_BUCKET = ("mse", "wql", "coverage_80", "fair_coverage_80", "zero_accuracy")
REPEATED = ("run", "backtest")
"""Jobs that begin from a file of settings."""
FIRST = 5
"""Lines of a long table that are seen at first."""
NAME, KIND = Column("model", kind="text"), Column("kind", kind="text")
WRAPPED = {
    "WithIntervals": "the intervals of its past errors", "Conformal": "conformal intervals",
    "PerEntity": "a model per entity",
}  # fmt: skip


def shown_columns(columns: Iterable[str], *, counts: bool) -> list[str]:
    """Return the columns of a leaderboard that are shown: its metrics, and those beside them.

    Parameters
    ----------
    columns : iterable of str
        Of the leaderboard.
    counts : bool
        Whether every target is a count: distributions matter beside means then.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from foretide.report.run.boards import shown_columns
    >>> shown_columns(["model", "rmse", "mape", "skill_vs_best_baseline"], counts=False)
    ['rmse', 'skill_vs_best_baseline']
    """
    known = list(columns)
    metrics = shown_metrics(known, "page of counts" if counts else "page", "mse" if counts else "rmse")
    return [*metrics, *(name for name in BESIDE if name in known)]


def board_columns(board: pd.DataFrame, *, counts: bool, more: Sequence[str] = ()) -> dict[str, Column]:
    """Return the shown columns of a leaderboard that hold anything, after the model and its kind."""
    wanted = [*shown_columns(board.columns, counts=counts), *(c for c in more if c in board)]
    return {"model": NAME, "kind": KIND, **{c: column_of(c) for c in wanted if board[c].notna().any()}}


def summary(content: Content) -> Section:
    """Return the verdict against the best baseline and what it rests on."""
    facts = content.facts
    said = [str(facts["verdict"])]
    if content.backtest:
        folds = facts["folds"]
        said.append(
            f"{folds['n']} folds of {facts['h']} {content.steps}, cutoffs every {folds['step']} {content.steps} from "
            f"{folds['first_cutoff']} to {folds['last_cutoff']}; {phrase('fit', folds['fits'])} per model"
            f"{_past(folds)}; {facts['windows']} windows of {facts['series']} series, the same for all models."
        )
    elif len(content.leaderboard):
        held = "held back at the end of the table, " if facts["kind"] == "forecast" else ""
        h = phrase(unit_of(facts["data"]["freq"], plural=False), facts["h"])
        windows = f"{phrase('window', facts['windows'])} of {h}, {held}the same for all models."
        parts = " One split and one test part: a difference of a few percent may be chance." if "parts" in facts else ""
        said.append(windows + parts)
    search = facts.get("search")
    if search:
        said.append(
            "Before the models were fitted their settings were searched on the steps before the test part, in "
            f"{phrase('trial', search['trials'])}. {search['verdict']} tuned.yaml holds the settings found, "
            "search/summary.md and search/report.html say more."
        )
    return Section("summary", "Verdict", said)


def _past(folds: Json) -> str:
    """On what models were fitted anew."""
    if folds["fits"] == 1:
        return ""
    return ", on expanding past" if folds["train_size"] is None else f", on the last {folds['train_size']} steps"


def leaderboard(content: Content) -> Section | None:
    """Return the leaderboard; to unfold, each model beside the best baseline, and mean ranks."""
    more = BACKTEST if content.facts.get("series", 0) > 1 else BACKTEST[1:]
    board, models = content.leaderboard, content.facts.get("models", {})
    if not len(board):
        return None
    columns = board_columns(board, counts=content.facts["counts"], more=more if content.backtest else ())
    if models:
        columns |= {"fit_seconds": Column("fit, s", "seconds to fit"),
                    "predict_seconds": Column("forecast, s", "seconds to forecast")}  # fmt: skip
        board = board.assign(**{
            key: [models.get(str(m), {}).get(key) for m in board["model"]] for key in ("fit_seconds", "predict_seconds")
        })  # fmt: skip
    caption = "Every model on the same windows and points, least main error first."
    if content.facts["kind"] == "forecast" and "wql" in columns:  # a forecast is chosen by its whole distribution
        caption = "Every model on the same windows and points, least weighted quantile loss (wql) first."
        board = board.sort_values("wql", kind="stable")
        columns.pop("skill_vs_best_baseline", None)
    detail = (
        ("chance", "Is a difference more than chance?", comparison_table(content)),
        ("rank", "Ranks over the series", rank_table(content)),
    )
    return Section(
        "leaderboard", "Leaderboard", tables=[Table.of("leaderboard", caption, board, columns, first=FIRST)],
        more=[Section(identity, title, tables=[table]) for identity, title, table in detail if table is not None],
    )  # fmt: skip


def comparison_table(content: Content) -> Table | None:
    """Return each model against the best baseline."""
    table = content.comparisons
    if table is None or not len(table):
        return None
    first = table.iloc[0]
    columns = {
        "model": NAME,
        "relative": Column("difference", "of mean losses, relative; negative is better", "share"),
        "low_95": Column("from", "95 % interval of the difference, in units of the loss"),
        "high_95": Column("to", "95 % interval of the difference, in units of the loss"),
        "p_value": Column("p", "Diebold–Mariano, two-sided", "p"),
        "p_holm": Column("p (Holm)", "corrected for the number of models", "p"),
    }
    caption = (
        f"{str(first['loss']).upper()} against {first['baseline']}, the best baseline, on {int(first['n_cutoffs'])} "
        "cutoffs: is a difference more than chance?"
    )
    return Table.of("comparisons", caption, table.sort_values("difference"), columns)


def rank_table(content: Content) -> Table | None:
    """Return the mean ranks over series, and which are told apart from the best."""
    table = content.ranks
    if table is None or not len(table):
        return None
    first = table.iloc[0]
    p = text_of(first["friedman_p"], "p")
    caption = (
        f"Mean rank over {int(first['n_series'])} series (Friedman test, p {p if p[0] == '<' else f'= {p}'}); "
        f"ranks closer than the critical difference {float(first['critical_difference']):.2f} are not told apart "
        "(Demšar 2006)."
    )
    apart = ["yes" if bool(v) else "no" for v in table["distinguishable_from_best"]]
    columns = {
        "model": NAME,
        "mean_rank": Column("mean rank"),
        "apart": Column("told apart from the best", kind="text"),
    }
    return Table.of("ranks", caption, table.assign(apart=apart), columns)


def densities(content: Content) -> Section | None:
    """Return, for counts, the figures of each density side by side."""
    table = content.buckets
    if table is None or not len(table):
        return None
    names = list(dict.fromkeys(table["bucket"]))
    if len(names) < 2:  # the leaderboard says it
        return None
    first = table.drop_duplicates("bucket").set_index("bucket")
    sizes = ", ".join(f"{int(first.loc[name, 'n_series'])} {name}" for name in names) if "n_series" in first else ""
    wide = {"model": NAME}
    figures = {}
    known = table.set_index(["model", "bucket"])
    order = [m for m in content.leaderboard["model"].astype(str) if m in set(table["model"])]
    for metric in (m for m in BY_BUCKET if m in table):
        for name in names:
            values = [known[metric].get((model, name)) for model in order]
            if pd.Series(values, dtype=float).notna().any():
                column = column_of(metric)
                figures[f"{metric} {name}"] = values
                wide[f"{metric} {name}"] = Column(f"{column.name}, {name}", "", column.kind)
    said = (
        f"Series by their nonzero rate in the training part: {sizes}. Dense is a rate of at least 70 %, ultra "
        "(ultra-sparse) at most 0.5 %, sparse what lies between."
    )
    frame = pd.DataFrame({"model": order, **figures})
    return Section(
        "density",
        "By density",
        [said],
        tables=[Table.of("by-bucket", "Every model by density.", frame, wide, first=FIRST)],
    )


def models(content: Content) -> Section | None:
    """Return what each model is, which target has which head, and what forecasts were changed."""
    rows = []
    for name, about in content.facts.get("models", {}).items():
        kind, settings = about["class"], about["settings"]
        if kind in WRAPPED:
            ((inner, settings),) = settings["model"].items()
            kind = f"{inner} with {WRAPPED[kind]}"
        rows.append([name, kind, "yes" if about["baseline"] else "no", inline(settings, without="alias")])
    columns = [
        NAME, Column("class", kind="text"), Column("baseline", "skill is stated against the best of these", "text"),
        Column("settings", kind="text"),
    ]  # fmt: skip
    if not rows and not content.routed and not content.interventions:
        return None
    tables = [Table("models-table", "What each model is.", columns, rows, first=FIRST)] if rows else []
    for k, (name, frame) in enumerate(content.routed.items()):
        tables.append(frame_table(f"routed-{k}", f"Buckets of {name}.", frame))
    said = []
    for name, counts in content.interventions.items():
        reasons = ", ".join(f"{what.replace('_', ' ')} {n}" for what, n in counts.items()) or "none"
        said.append(f"Interventions, values of {name}'s forecasts changed after the model, by reason: {reasons}.")
    return Section("models", "Models", said, tables=tables)


def settings(content: Content) -> Section:
    """Return how it can be repeated and with what it was made."""
    facts = content.facts
    about = facts.get("about", {})
    machine = {k: v for k, v in about.items() if k != "versions"} | facts.get("threads", {})
    lines = [
        *([f"Repeat it: foretide {facts['kind']} settings.yaml --out again"] if facts["kind"] in REPEATED else []),
        *([f"Took {facts['seconds']:.1f} s"] if "seconds" in facts else []),
        f"Versions: {inline(about.get('versions', {}))}",
        *([f"Machine: {inline(machine)}"] if machine else []),
    ]
    folded = [Folded("settings.yaml", content.settings)] if content.settings else []
    return Section("settings", "Settings and versions", facts=lines, folded=folded)


def inline(values: Json, without: str = "") -> str:
    """Return names and values in one line."""
    return ", ".join(f"{k} {v}" for k, v in values.items() if v is not None and k != without)


def frame_table(identity: str, caption: str, frame: pd.DataFrame, shares: Sequence[str] = ()) -> Table:
    """Return any small table as it is; ``shares`` names columns that are shown in percent."""
    columns = {str(c): Column(str(c).replace("_", " "), kind="share" if c in shares else "number") for c in frame}
    return Table.of(identity, caption, frame, columns, of="rows")


def column_of(name: str) -> Column:
    """Return how a column of a leaderboard is called, what it means, and what it holds."""
    about = column_of_board(name)
    if about is None:
        return Column(name.replace("_", " "))
    kind: Kind = "share" if about.unit == "share" else "text" if about.unit == "text" else "number"
    return Column(name.replace("_", " "), about.meaning, kind)

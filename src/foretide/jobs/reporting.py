"""A run or backtest folder as one HTML page: what its files hold is read here, the page is made in ``report``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foretide.data.files import read_text
from foretide.errors import ArtifactError, ForetideError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.jobs import store
from foretide.jobs.config import read_yaml
from foretide.jobs.explained_tables import read_table
from foretide.jobs.explaining import EXPLAINED
from foretide.jobs.folder import RunFolder, read_status
from foretide.jobs.search_reporting import is_search, read_search
from foretide.report.html import AttentionWeights, Content, Explained, sections_of, write_page
from foretide.report.html import write_figures as write_pictures
from foretide.report.html.search_page import search_sections, write_search_page

REPORT, FIGURES = "report.html", "figures"
FIRST_LEVEL = 80.0
"""The interval whose coverage by step is drawn, where there is one of that level."""


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` into a folder: one self-contained page that opens without a network.

    Parameters
    ----------
    folder : path
        Made by :func:`foretide.run`, ``foretide demo``, ``foretide backtest`` or ``foretide tune``. What
        ``foretide explain`` found there is shown too.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ArtifactError
        For a folder that is none of these, or whose files cannot be read.
    """
    run = RunFolder(Path(folder))
    page = write_search_page(read_search(run.path)) if is_search(run.path) else write_page(read_content(run.path))
    return run.write_text(REPORT, page)


def write_figures(folder: str | os.PathLike[str], formats: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Write every picture of the page into ``figures``, for papers; pictures with lists once for each choice.

    Parameters
    ----------
    folder : path
        As for :func:`write_report`.
    formats : sequence of {"svg", "png", "pdf"}

    Returns
    -------
    list of Path

    Raises
    ------
    ArtifactError, ConfigError
        As :func:`write_report`; for a format that is not known.
    MissingExtraError, ForetideError
        Without kaleido (``pip install 'foretide[figures]'``), or without a Chrome or Chromium.
    """
    path = Path(folder)
    if is_search(path):
        return write_pictures(search_sections(read_search(path)), None, RunFolder(path).place(FIGURES), formats)
    content = read_content(path)
    return write_pictures(sections_of(content), content, RunFolder(path).place(FIGURES), formats)


def read_content(path: Path) -> Content:
    """Return what a folder's files hold, as plain tables and arrays.

    Raises
    ------
    ArtifactError
        For a folder that is neither a run nor a backtest, or whose files cannot be read.
    """
    if not (path / "run.json").is_file() or not (path / "metrics.csv").is_file():
        raise ArtifactError(
            f"{path} holds no finished run: run.json or metrics.csv is missing. Expected a folder made by "
            "`foretide run`, `foretide demo`, `foretide backtest` or `foretide tune`."
        )
    try:
        folder = RunFolder(path)
        facts = json.loads(read_text(path / "run.json"))
        board = pd.read_csv(path / "metrics.csv", dtype={"model": str})
        specific = _backtest(path) if facts.get("kind") == "backtest" else _run(path, facts, board)
        settings = path / "settings.yaml"
        return Content(
            name=_name(path), facts=facts, leaderboard=board, explained=_explained(path),
            attention=_attention(path), before=folder.read(store.BEFORE),
            audit_columns=folder.read(store.AUDIT_COLUMNS), audit_series=folder.read(store.AUDIT_SERIES),
            history=_csv(path, "history.csv"), status=_status(path),
            settings=read_text(settings) if settings.is_file() else "", **specific,
        )  # fmt: skip
    except (ValueError, KeyError, OSError) as error:
        if isinstance(error, ForetideError):
            raise
        raise ArtifactError(
            f"{path} cannot be read as a run: {type(error).__name__}: {error}. Make it again with this version."
        ) from error


# ------------------------------------------------------------------ the two kinds of folder
def _run(path: Path, facts: dict[str, Any], board: pd.DataFrame) -> dict[str, Any]:
    metric = "mse" if facts["counts"] else "rmse"
    forecasts = pd.read_parquet(path / "forecasts.parquet")
    steps, series = _csv(path, "metrics_by_step.csv"), _csv(path, "metrics_by_series.csv", text=1)
    levels = _levels(forecasts)
    return {
        "forecasts": forecasts,
        "by_step": _wide(steps, metric),
        "by_series": _wide(series, metric),
        "reliability": _reliability(forecasts, [str(m) for m in board["model"]], levels),
        "coverage": {
            level: table for level in levels if (table := _wide(steps, f"coverage_{level:g}")) is not None
        },
    }  # fmt: skip


def _backtest(path: Path) -> dict[str, Any]:
    card = Scorecard.load(path)
    known = card.distributions.quantiles
    forecasts = card.pandas(card.to_frame())
    levels = _levels(forecasts) if known else []
    coverage = {}
    for level in levels:
        if any(card.has(f"coverage_{level:g}", model) for model in card.models):
            coverage[level] = card.pandas(card.coverage(level, by="h_step"))
    return {
        "forecasts": forecasts,
        "by_step": card.frame_of(card.main, "h_step"),
        "by_series": card.frame_of(card.main, "series"),
        "folds": _csv(path, "folds.csv"),
        "comparisons": _csv(path, "comparisons.csv"),
        "reliability": _csv(path, "calibration.csv"),
        "coverage": coverage,
    }


def _wide(table: pd.DataFrame | None, metric: str) -> pd.DataFrame | None:
    """Return one row per step or series and one column per model, in the order they stand in."""
    if table is None or metric not in table or table[metric].isna().all():
        return None
    key = str(table.columns[1])
    rows, models = list(dict.fromkeys(table[key])), list(dict.fromkeys(table["model"]))
    wide = table.pivot(index=key, columns="model", values=metric).loc[rows, models].reset_index()
    wide.columns.name = None
    return wide


def _levels(frame: pd.DataFrame) -> list[float]:
    """Central levels that a table has bounds of, the first one shown first."""
    found = {float(m[1]) for c in frame.columns if (m := re.search(r"-lo-(\d+(?:\.\d+)?)$", str(c)))}
    return sorted(found, key=lambda level: (level != FIRST_LEVEL, level))


def _reliability(frame: pd.DataFrame, models: list[str], levels: list[float]) -> pd.DataFrame | None:
    """Return for the ends of all intervals how many truths lie below, and at or below them."""
    truth = frame["y"].to_numpy(float)
    rows = []
    for model in models:
        for level in levels:
            for side, quantile in (("lo", round(0.5 - level / 200, 6)), ("hi", round(0.5 + level / 200, 6))):
                name = f"{model}-{side}-{level:g}"
                if name not in frame:
                    continue
                bound = frame[name].to_numpy(float)
                known = np.isfinite(truth) & np.isfinite(bound)
                if known.any():
                    below, at = (truth < bound)[known].mean(), (truth <= bound)[known].mean()
                    rows.append({"model": model, "level": quantile, "below": below, "at_or_below": at})
    return pd.DataFrame(rows) if rows else None


# ------------------------------------------------------------------ files
def _attention(path: Path) -> dict[str, AttentionWeights]:
    if not (path / "attention.json").is_file():
        return {}
    from safetensors.numpy import load_file

    about = json.loads(read_text(path / "attention.json"))
    arrays = load_file(path / about["file"])
    return {
        name: AttentionWeights(
            arrays[name],
            [f"cutoff {w['cutoff']}" for w in of["windows"]],
            [w["entity"] or "all targets" for w in of["windows"]],
            of["about"],
        )
        for name, of in about["models"].items()
    }


def _explained(path: Path) -> list[Explained]:
    """Return what ``foretide explain`` left: sentences and the tables they were made from."""
    if not (path / EXPLAINED).is_file():
        return []
    told = json.loads(read_text(path / EXPLAINED))
    return [
        Explained(
            part["model"], part["subject"], part["sentences"],
            {name: read_table(path / file, name) for name, file in part["tables"].items()},
        )
        for part in told
    ]  # fmt: skip


def _csv(path: Path, name: str, *, text: int | None = None) -> pd.DataFrame | None:
    """Read a table; ``text`` is the place of a column of names, which may look like numbers or like "NA"."""
    if not (path / name).is_file():
        return None
    if text is None:
        return pd.read_csv(path / name)
    columns = list(pd.read_csv(path / name, nrows=0).columns)
    names, others = columns[text], [c for k, c in enumerate(columns) if k != text]
    return pd.read_csv(
        path / name, dtype={names: str}, keep_default_na=False, na_values={c: ["", "nan"] for c in others}
    )


def _name(path: Path) -> str:
    """Return the name its configuration gives it, or the folder's."""
    settings = path / "settings.yaml"
    found = read_yaml(read_text(settings)) if settings.is_file() else {}
    return str(found.get("name") or path.resolve().name)


def _status(path: Path) -> str:
    """Say so where the run did not finish."""
    status = read_status(path)
    if status is None or status["status"] == "finished":
        return ""
    return f"This run is marked as {status['status']}; what is here may be only a part of it."

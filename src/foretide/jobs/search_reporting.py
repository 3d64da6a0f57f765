"""A folder of ``foretide tune`` as the content of a page: what its files hold is read here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from foretide.errors import ArtifactError, ForetideError, MissingExtraError
from foretide.forecasters.artifact import from_json
from foretide.jobs.config import read_yaml
from foretide.jobs.folder import read_status
from foretide.report.html.search_content import SearchContent
from foretide.report.search_trials import FIXED, by_number
from foretide.tuning.ledger import COMPLETE
from foretide.tuning.result import STUDY, TRIALS, importances_of
from foretide.tuning.space import Choice, Float, Int, Parameter
from foretide.tuning.storage import get_optuna

FILES = ("run.json", TRIALS, STUDY, "leaderboard.csv")
TEXTS = ("model", "kind")
"""Columns of leaderboards that are text, whatever they look like."""
Spaces = dict[str, dict[str, Parameter]]


def is_search(path: Path) -> bool:
    """Whether a folder was made by ``foretide tune``."""
    try:
        facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("kind") == "search"


def read_search(path: Path) -> SearchContent:
    """Return what a search's files hold, as plain tables.

    Raises
    ------
    ArtifactError
        For a folder without a finished search, or whose files cannot be read.
    """
    lacking = [name for name in FILES if not (path / name).is_file()]
    if lacking:
        raise ArtifactError(
            f"{path} holds no finished search: it lacks {', '.join(lacking)}. Expected a folder made by "
            "`foretide tune`; the same command goes on with a search that was interrupted."
        )
    try:
        return _content(path)
    except (ValueError, LookupError, TypeError, AttributeError, OSError, ForetideError) as error:
        raise ArtifactError(
            f"{path} cannot be read as a search: {type(error).__name__}: {error}. Make it again with this version."
        ) from error


def _content(path: Path) -> SearchContent:
    facts, told = (json.loads((path / name).read_text(encoding="utf-8")) for name in ("run.json", STUDY))
    spaces = _spaces(told["about"])
    trials = by_number(read_trials(path / TRIALS, spaces))
    importances, lacking = _importances(trials, spaces)
    settings = _text(path, "settings.yaml")
    return SearchContent(
        name=str((read_yaml(settings) or {}).get("name") or path.resolve().name), facts=facts, trials=trials,
        leaderboard=_board(path / "leaderboard.csv"),
        test_board=_board(path / "metrics.csv") if (path / "metrics.csv").is_file() else None,
        spaces={model: {name: _plain(entry) for name, entry in space.items()} for model, space in spaces.items()},
        importances=importances, missing=lacking, about=told["about"], storage=str(told["storage"]),
        versions=told["versions"], tuned=_text(path, "tuned.yaml"), settings=settings, status=_status(path),
    )  # fmt: skip


def _text(path: Path, name: str) -> str:
    return (path / name).read_text(encoding="utf-8") if (path / name).is_file() else ""


def _status(path: Path) -> str:
    """Say so where the search did not finish."""
    status = read_status(path)
    if status is None or status["status"] == "finished":
        return ""
    return f"This search is marked as {status['status']}; what is here is what it had found before."


def _board(path: Path) -> pd.DataFrame:
    """Read a leaderboard; a model may be called "NA"."""
    columns = [name for name in pd.read_csv(path, nrows=0).columns if name not in TEXTS]
    return pd.read_csv(
        path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values={c: ["", "nan"] for c in columns}
    )


# ------------------------------------------------------------------ trials as they were
def _spaces(about: Mapping[str, Any]) -> Spaces:
    """Return model -> setting -> what it was chosen from."""
    models = {key.removeprefix("model "): entry for key, entry in about.items() if key.startswith("model ")}
    return {
        label: {name: _entry(told) for name, told in entry["space"].items()} for label, entry in models.items()
    }  # fmt: skip


def _entry(told: Mapping[str, Any]) -> Parameter:
    if "choice" in told:
        return Choice(tuple(from_json(option) for option in told["choice"]))
    low, high = told.get("int") or told["float"]
    return Int(low, high, told["log"]) if "int" in told else Float(low, high, told["log"])


def _plain(entry: Parameter) -> dict[str, Any]:
    return {"choice": list(entry.options)} if isinstance(entry, Choice) else entry.to_dict()


def read_trials(path: Path, spaces: Mapping[str, Mapping[str, Parameter]]) -> pd.DataFrame:
    """Read a table of trials; each setting as the search tried it, None where a model does not have it.

    A file of comma-separated values cannot tell the text ``1`` from a number, nor None from nothing: the spaces do.
    """
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    figures = {name: text[name].replace("", "nan").astype(float) for name in ("number", "value", "seconds", "seed")}
    frame = pd.DataFrame({**figures, **{name: text[name] for name in ("model", "state", "error")}})
    frame = frame.astype({"number": "int64", "seed": "Int64"})[list(FIXED)]
    for name in text.columns.drop(list(FIXED)):
        cells = zip(text["model"], text[name], strict=True)
        values = [_value(cell, spaces.get(model, {}).get(name)) for model, cell in cells]
        frame[name] = pd.Series(values, index=frame.index, dtype=object)
    return frame


def _value(text: str, entry: Parameter | None) -> Any:
    if isinstance(entry, Choice):
        exact = [option for option in entry.options if text == ("" if option is None else str(option))]
        for option in exact or [option for option in entry.options if _same_number(text, option)]:
            return option
    if entry is None or text == "":
        return None
    try:
        figure = float(text)
    except ValueError:
        return text
    return int(figure) if isinstance(entry, Int) and figure.is_integer() else figure


def _same_number(text: str, option: Any) -> bool:
    """Whole numbers in a column with gaps are written as ``16.0``, and True as ``1``."""
    try:
        return isinstance(option, (int, float)) and float(text) == option
    except ValueError:
        return False


def _importances(trials: pd.DataFrame, spaces: Spaces) -> tuple[dict[str, dict[str, float]], str]:
    """Return the importances of all models, made anew from the trials, and why there are none."""
    try:
        get_optuna()
    except MissingExtraError as error:
        return {}, f"The importances of the settings are left out. {error}"
    done = trials[(trials["state"] == COMPLETE) & trials["value"].notna()]
    shares = {}
    for label, space in spaces.items():
        own = done[done["model"] == label]
        settings = [{name: line[name] for name in space} for line in own.to_dict("records")]
        shares[label] = importances_of(space, settings, own["value"].tolist())
    return shares, ""

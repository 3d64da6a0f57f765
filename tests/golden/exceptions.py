"""What of a folder is not compared: everything that differs between two runs of one commit, each with its reason."""

from __future__ import annotations

import re

FILES: dict[str, str] = {
    "status": "when a job ran, on which host, as which process",
    "run.log": "nothing but seconds",
    "settings": "the page and the summary show the same settings",
    "models": "saved weights; the forecasts follow from them",
    "figures": "drawn from the numbers that are compared already",
    "scorecard.json": "how a scorecard keeps what its tables and forecasts say",
    "backtest.json": "how a backtest finds its place again; holds a fingerprint of the data's bytes",
    "explain.json": "sentences and tables are read from explain.md, the page and the tables themselves",
}
"""File or folder, without its extension where it is a table -> why it is not read."""

COLUMNS: dict[str, str] = {
    r"(^|_)seconds($|_)|, s$|^share of time$": "seconds of a fit, a forecast, an epoch or a trial",
    r"memory|_mib$|, MiB$": "memory at its height",
    r"^(started|ended|datetime_.*)$": "times of day of a trial",
}
"""Column of a table, in a file or on the page (searched for) -> why it is not compared."""

FACTS: dict[str, str] = {
    r"seconds": "seconds of a job or of its parts",
    r"memory|_mib\b": "memory at its height",
    r"^models\b": "settings of the models, in the form of their constructors; summary.md says them in words",
    r"\babout\b|versions|threads|cores|platform": "versions of packages and the machine",
    r"\bstorage\b|\bfolder\b|\bpath\b": "a place on this machine",
}
"""Path in a JSON file (searched for) -> why it is not compared."""

PACKAGES = (
    "python|platform|foretide|numpy|pandas|scipy|torch|statsmodels|statsforecast|optuna|captum"
    "|lightgbm|scikit-learn|fracast|neuralforecast|chronos-forecasting"
)
WORDS: dict[str, str] = {
    r"\b\d+(\.\d+)?(e-\d+)? (s|ms|min|MiB|seconds?|minutes?)\b": "durations and memory in a sentence",
    rf"\b({PACKAGES}) [\w.+-]*\d[\w.+-]*": "versions of packages and the machine",
    r"(?<=path: )\s*/\S*/": "the folder of the run, which lies among the temporary ones",
    r"\b(cores|OMP_NUM_THREADS) \d+|\b\d+ cores?\b": "the machine",
}
"""Part of a sentence (searched for) -> why it is replaced by dots before sentences are compared."""

PICTURES: dict[str, str] = {
    r"second|\btime\b.*\bs\b": "a picture of seconds; where it is, stands among the words",
}
"""Title or axis of a picture (searched for) -> why its numbers are not compared."""

CHANGED: dict[str, str] = {}
"""Place of a difference, as the test names it (searched for), such as ``demo > scores > .* > mase`` -> why that value
was changed on purpose. For values and words that are recorded anew, say the reason in the commit instead."""


def listed(name: str, exceptions: dict[str, str]) -> bool:
    """Whether one of the exceptions speaks of this name."""
    return any(re.search(pattern, name) for pattern in exceptions)


def without_variable_parts(sentence: str) -> str:
    """Return the sentence with dots where two runs differ."""
    for pattern in WORDS:
        sentence = re.sub(pattern, "…", sentence)
    return re.sub(r"…(, …)+", "…", sentence)

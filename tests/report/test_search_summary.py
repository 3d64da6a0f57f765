"""A search in words: every sentence follows from the table of trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foretide.errors import ConfigError
from foretide.report.search_summary import (
    SearchFacts,
    escaped,
    importance_words,
    search_verdict,
    without_password,
    write_search_summary,
)


def trials(n: int = 12) -> pd.DataFrame:
    """Model A: n trials whose value grows with lr and is lower for x; B has two, one pruned; C failed."""
    g = np.random.default_rng(0)
    lr = 10 ** g.uniform(-4, -1, n)
    cell = np.where(np.arange(n) % 2 == 0, "x", "y")
    a = pd.DataFrame({
        "number": np.arange(n), "model": "A|1", "state": "complete",
        "value": 1 + np.log10(lr) / 10 + 0.02 * (cell == "y"), "seconds": 10.0, "seed": np.arange(n), "error": None,
        "lr": lr, "cell": cell, "size": [16.0, 32.0, 64.0] * (n // 3),
    })  # fmt: skip
    error = "ValueError: no | pipe\n  in here"
    rest = pd.DataFrame({
        "number": np.arange(n, n + 6), "model": ["B", "B", "C", "C", "C", "C"],
        "state": ["complete", "pruned", "failed", "failed", "failed", "interrupted"], "value": [0.9] + [np.nan] * 5,
        "seconds": [30.0, 5.0, 1.0, 1.0, 1.0, np.nan], "seed": np.arange(6),
        "error": [None, None, "other", error, error, None], "alpha": [2.0] * 6,
    })  # fmt: skip
    return pd.concat([a, rest], ignore_index=True)


def facts(**changes: Any) -> SearchFacts:
    given: dict[str, Any] = {
        "name": "my|run", "metric": "MAE", "unit": "kW", "trials": trials(),
        "baselines": {"Drift": 2.0, "Seasonal": 0.8, "Broken": np.nan},
        "importances": {"A|1": {"lr": 0.7, "cell": 0.2, "size": 0.1}, "B": {"alpha": 1.0}},
        "command": "foretide tune settings.yaml", "folds": "mean of 3 inner folds", "storage": "study.log",
        "settings": {"sampler": "tpe", "timeout": None}, "versions": {"foretide": "0.1"}, "seconds": 3725.0,
        "test": "On the test part it saves 3 %.", "pictures": {"history.png": "the values"}, "notes": ("one|note",),
    }  # fmt: skip
    return SearchFacts(**{**given, **changes})


def section(text: str, title: str) -> list[str]:
    return text.split(f"## {title}\n\n")[1].split("\n\n## ")[0].splitlines()


def rows(text: str, title: str) -> list[list[str]]:
    """Cells of the table of a section, split where no backslash protects the bar."""
    own = [line for line in section(text, title) if line.startswith("|")]
    return [[cell.strip().replace("\\|", "|") for cell in _cells(line)] for line in own]


def _cells(line: str) -> list[str]:
    return line.replace("\\|", "\0").strip("| ").replace("\0", "\\|").split(" | ")


def test_the_verdict_comes_first() -> None:
    table = trials()
    best = table["value"].min()
    share = 1 - best / 0.8
    at = int(table["value"].idxmin())
    expected = (
        rf"Best: A\|1, trial {at} of 18, MAE {best:.4g} kW; {100 * share:.1f} % better than the best simple baseline, "
        "Seasonal (0.8). Chosen as the best of 13 on the same folds, it looks better than it will on new data."
    )
    assert best < 0.8
    assert search_verdict(facts()) == expected
    text = write_search_summary(facts())
    assert text.startswith(f"# my\\|run: search\n\n**{expected}**\n\nOn the test part it saves 3 %.\n\n## The best")


def test_verdicts_of_other_cases() -> None:
    best = trials()["value"].min()
    worse = search_verdict(facts(baselines={"Seasonal": best / 1.05}))
    assert worse.startswith("No searched model beats the best simple baseline. Best: A")
    assert "5.0 % worse than the best simple baseline" in worse
    assert "the same as the best simple baseline" in search_verdict(facts(baselines={"S": best}))
    assert "less than 0.1 % better" in search_verdict(facts(baselines={"S": best * 1.0001}))
    assert f"by {best + 1:.4g} worse than" in search_verdict(facts(baselines={"S": -1.0}))
    assert "baseline" not in search_verdict(facts(baselines={}))
    assert search_verdict(facts(trials=trials()[:1], baselines={}, unit="")).startswith(
        "Best: A\\|1, the only trial, MAE"
    )
    assert "looks better" not in search_verdict(facts(trials=trials()[:1]))
    failed = search_verdict(facts(trials=trials()[14:]))
    assert failed == (
        "No trial has a value: 3 failed, 1 interrupted. Commonest error: ValueError: no \\| pipe in here."
    )
    assert search_verdict(facts(trials=trials()[13:14])) == "No trial has a value: 1 pruned."


def test_the_best_of_each_model_stands_beside_the_baselines() -> None:
    table = trials()
    best, at = table["value"].min(), int(table["value"].idxmin())
    assert rows(write_search_summary(facts()), "The best of each model") == [
        ["model", "MAE (kW)", "against the best baseline", "finished trials", "best trial"],
        ["---", "---:", "---:", "---:", "---:"],
        ["A|1", f"{best:.4g}", f"{best / 0.8 - 1:+.1%}", "12 of 12", str(at)],
        ["Seasonal *", "0.8", "+0.0%", "–", "–"],
        ["B", "0.9", "+12.5%", "1 of 2", "12"],
        ["Drift *", "2", "+150.0%", "–", "–"],
        ["C", "–", "–", "0 of 4", "–"],
        ["Broken *", "–", "–", "–", "–"],
    ]


def test_the_ten_best_trials() -> None:
    table = trials()
    found = rows(write_search_summary(facts()), "The 10 best trials")
    assert found[0] == ["trial", "MAE (kW)", "seconds", "seed", "parameters"]
    order = sorted((v, k) for k, v in enumerate(table["value"]) if np.isfinite(v))
    assert [row[0].split()[0] for row in found[2:]] == [str(k) for _, k in order[:10]]
    first = table.loc[order[0][1]]
    assert found[2] == [
        f"{first['number']} A|1", f"{first['value']:.4g}", "10", str(first["seed"]),
        f"lr {first['lr']:.4g}, cell {first['cell']}, size {first['size']:.0f}",
    ]  # fmt: skip
    few = write_search_summary(facts(trials=table[:3]))
    assert len(rows(few, "Trials, best first")) == 5
    assert "best trial" not in write_search_summary(facts(trials=table[14:])).replace("| best trial |", "")


def test_importances_in_words() -> None:
    table = trials()
    own = table[:12]
    rank = stats.spearmanr(own["lr"], own["value"]).statistic
    assert rank > 0.4
    words = importance_words(table, "A|1", {"lr": 0.7, "cell": 0.2, "size": 0.1})
    assert words == f"lr (70%; smaller did better, rank correlation {rank:+.2f})"
    cells = own.groupby("cell")["value"].median()
    words = importance_words(table, "A|1", {"lr": 1.0, "cell": 3.0})
    assert words == f"cell (75%; best median with {cells.idxmin()})"
    rank = stats.spearmanr(own["size"], own["value"]).statistic
    found = importance_words(table, "A|1", {"size": 1.0})
    assert ("rank correlation" in found) == (abs(rank) >= 0.4)
    assert found.startswith("size (100%")
    flipped = table.assign(value=-table["value"])
    assert "larger did better, rank correlation -" in importance_words(flipped, "A|1", {"lr": 1.0})


def test_no_clear_pattern() -> None:
    table = trials()
    assert importance_words(table, "A|1", {"lr": 0.4, "cell": 0.3, "size": 0.3}) == (
        "no clear pattern: no parameter stands out"
    )
    assert importance_words(table, "A|1", {}) == "no clear pattern"
    assert importance_words(table, "A|1", {"lr": np.nan}) == "no clear pattern"
    assert importance_words(table.assign(value=1.0), "A|1", {"lr": 1.0}) == "no clear pattern"
    assert importance_words(table, "B", {"alpha": 1.0}) == "no clear pattern can be told from 1 finished trial"
    nine = table[table["number"] != 0].iloc[:9]
    assert importance_words(nine, "A|1", {"lr": 1.0}) == "no clear pattern can be told from 9 finished trials"
    assert importance_words(table.drop(columns=["alpha"]), "B", {}) == "no parameter was searched"
    alone = table.drop(columns=["cell", "size"])
    assert importance_words(alone, "A|1", {"lr": 1.0}).startswith("lr alone was searched; smaller did better")
    lines = section(write_search_summary(facts()), "Which parameters matter")
    assert [line.split(":")[0] for line in lines[2:]] == ["- **A\\|1**", "- **B**", "- **C**"]


def test_failures_are_counted_with_their_commonest_error() -> None:
    text = write_search_summary(facts())
    assert section(text, "Failures")[0].startswith("3 of 18 trials ended without a value.")
    assert rows(text, "Failures")[2:] == [["C", "3", "2", "ValueError: no | pipe in here"]]
    long = trials()
    long.loc[14:16, "error"] = "x" * 900
    assert rows(write_search_summary(facts(trials=long)), "Failures")[2][3] == "x" * 199 + "…"
    long.loc[14:16, "error"] = None
    assert rows(write_search_summary(facts(trials=long)), "Failures")[2][2:] == ["–", "no error was recorded"]
    assert "## Failures" not in write_search_summary(facts(trials=trials()[:14]))


def test_time_of_each_model() -> None:
    found = rows(write_search_summary(facts()), "Trials and time")
    assert found[0] == [
        "model", "trials", "finished", "pruned", "failed", "interrupted", "time", "share of time",
        "median of a finished trial",
    ]  # fmt: skip
    assert found[2:] == [
        ["A|1", "12", "12", "0", "0", "0", "2 min 0 s", f"{120 / 158:.0%}", "10.0 s"],
        ["B", "2", "1", "1", "0", "0", "35.0 s", f"{35 / 158:.0%}", "30.0 s"],
        ["C", "4", "0", "0", "3", "1", "3.0 s", f"{3 / 158:.0%}", "–"],
    ]


def test_how_to_repeat_it() -> None:
    lines = section(write_search_summary(facts()), "How to repeat it")
    assert lines == [
        "`foretide tune settings.yaml` repeats it. The study lies in `study.log`; with it, the same command goes on "
        "where the search ended. 1 h 2 min in all. Settings: sampler tpe. Versions: foretide 0.1."
    ]
    text = write_search_summary(facts(storage="postgresql://me:se:cret@host:5432/db"))
    assert "`postgresql://me:***@host:5432/db`" in text
    assert "cret" not in text
    assert without_password("sqlite:///a.db") == "sqlite:///a.db"
    assert "![history.png](history.png)\n\n`history.png`: the values" in text
    assert "## Notes\n\n- one\\|note" in text


def test_text_of_the_user_stays_text() -> None:
    assert escaped("a|b\n*c* `d` <e> [f]") == r"a\|b \*c\* \`d\` \<e\> \[f\]"
    assert escaped("input_size _x_ __init__ a_") == r"input_size \_x\_ \_\_init\_\_ a\_"


def test_a_table_that_cannot_be_summed_up() -> None:
    with pytest.raises(ConfigError, match="There is no trial to show"):
        write_search_summary(facts(trials=trials()[:0]))
    before = trials()
    given = facts(trials=before)
    write_search_summary(given)
    pd.testing.assert_frame_equal(before, trials())

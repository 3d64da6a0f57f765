"""A newcomer's path: the README's Python and its commands, one after the other, as they are printed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import foretide
from pages_of_docs import README, ROOT, blocks, run_python

from foretide.forecasters.auto.auto import Auto


@pytest.fixture(scope="module", autouse=True)
def _one_contest() -> Iterator[None]:
    """Python and the first command ask the same of the same table: candidates are tried on it once."""
    fit, found = Auto._fit, {}

    def once(self: Auto, part: Any) -> None:
        told = {name: value for name, value in self.settings().items() if name != "time_limit"}
        asked = (
            repr(told),
            part.panel.ids,
            part.panel.columns,
            part.panel.values.tobytes(),
            part.panel.grid,
            *part.train_rows,
        )
        if asked not in found:
            fit(self, part)
            found[asked] = deepcopy(vars(self))
        vars(self).update({**deepcopy(found[asked]), "time_limit": self.time_limit})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Auto, "_fit", once)
        yield


def commands() -> list[str]:
    return [line for block in blocks(README, "bash") for line in block.splitlines() if line.startswith("foretide ")]


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_python(README, tmp_path, monkeypatch)


def test_the_readmes_commands_run_in_order(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    typed = commands()
    assert len(typed) >= 5
    for line in typed:
        foretide(*shlex.split(line, comments=True)[1:], cwd=tmp_path)
    made = pd.read_csv(tmp_path / "next" / "forecast.csv")
    assert list(made.columns[:3]) == ["shop", "date", "sales"]
    assert len(made) == 5 * 14
    assert made["shop"].unique().tolist() == [101, 102, 103, 104, 105]
    assert (tmp_path / "judged" / "report.html").stat().st_size < 6e6

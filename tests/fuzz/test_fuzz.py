"""A few seconds of every fuzzer; ten minutes of each are run by hand, see their first lines.

``FORETIDE_FUZZ_SECONDS=20 pytest tests/fuzz`` gives each of them twenty seconds instead of the usual one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fuzzing
import pytest

SECONDS = os.environ.get("FORETIDE_FUZZ_SECONDS", "1")
HERE = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in HERE.glob("[!t]*.py") if "from fuzzing import" in path.read_text("utf-8"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_whatever_comes_in_one_of_our_errors_or_an_answer_comes_out(name: str) -> None:
    command = [sys.executable, str(HERE / f"{name}.py"), "--seconds", SECONDS, "--seed", "7"]
    command += ["--brief"] if float(SECONDS) < 10 else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split(" ")[0]) > 0, done.stdout


def test_a_death_a_strange_error_and_a_slow_one_are_seen(tmp_path: Path) -> None:
    stand_in = tmp_path / "script.py"
    stand_in.write_text(
        "import json, os, sys\nprint('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if int(line) == 2: os.abort()\n"
        "    kind = 'exception' if int(line) == 3 else 'used'\n"
        "    seconds = 21 if int(line) == 4 else 0.1\n"
        "    print(json.dumps({'is': kind, 'what': 'KeyError', 'where': 'x', 'seconds': seconds}), flush=True)\n"
    )
    outcome = fuzzing.watch(str(stand_in), 0, 60, 6)
    assert (outcome.inputs, outcome.used) == (6, 3)
    assert (len(outcome.exceptions), len(outcome.deaths), len(outcome.late)) == (1, 1, 1)
    assert outcome.deaths[0].startswith("seed 0, number 2")
    assert not outcome.ok


def test_the_worker_tells_refusals_from_strange_errors(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(fuzzing.__file__).parent)!r})\n"
        "import fuzzing\n"
        "from foretide.errors import DataError\n"
        "def prepared(rng, folder):\n"
        "    def use():\n"
        "        kind = rng.randrange(3)\n"
        "        print('noise')\n"
        "        if kind == 0: raise DataError('no')\n"
        "        if kind == 1: raise KeyError('x')\n"
        "        return 'used'\n"
        "    return use\n"
        "raise SystemExit(fuzzing.main(__file__, '', prepared))\n"
    )
    outcome = fuzzing.watch(str(script), 0, 60, 20)
    assert (outcome.inputs, outcome.used + outcome.refused + len(outcome.exceptions)) == (20, 20)
    assert min(outcome.used, outcome.refused, len(outcome.exceptions)) > 0
    assert "KeyError: 'x'" in outcome.exceptions[0]

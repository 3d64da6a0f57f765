from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cases
import equal_files

import foretide


def test_equal_fits_write_equal_files_in_processes_that_hash_texts_otherwise(tmp_path: Path) -> None:
    paths = os.pathsep.join(str(Path(module.__file__).parent) for module in (equal_files, cases))
    source = str(Path(foretide.__file__).parents[1])
    other = {"PYTHONHASHSEED": "1" if hash("foretide") % 2 else "2", "PYTHONPATH": os.pathsep.join([source, paths])}
    command = [sys.executable, equal_files.__file__]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | other, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found) > 20
    assert found == equal_files.checksums()

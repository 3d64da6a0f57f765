"""Time of ``foretide demo`` in full, set-up not counted: a fresh process each time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import arguments, save


def main() -> None:
    """Run the demo a few times."""
    chosen = arguments(__doc__, repeats={"type": int, "default": 2})
    rows = []
    for repeat in range(chosen.repeats):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            command = [sys.executable, "-m", "foretide", "demo", "--out", str(Path(folder) / "demo")]
            subprocess.run(command, check=True, capture_output=True)
            rows.append({"repeat": repeat, "seconds": time.perf_counter() - started})
    save("demo", rows, chosen.threads)


if __name__ == "__main__":
    main()

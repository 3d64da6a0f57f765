"""The checksums of what every forecaster saves after a fit; as a script, in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

from cases import made, make_panel

from foretide.data.panel import Panel
from foretide.forecasters.table import FORECASTERS


def panel() -> Panel:
    """Return two series with text columns and known-future ones."""
    numbers = make_panel((50, 46), past=1, future=1, whole=True).to_frame()
    words = numbers["p0"].gt(20).map({True: "rain", False: "dry"})
    return Panel.from_frame(
        numbers.assign(p0=words, kind=numbers["unique_id"] + "-kind"), target="y0", past=["p0"], future=["f0"],
        static=["kind"],
    )  # fmt: skip


def checksums() -> dict[str, dict[str, str]]:
    """Return forecaster -> file -> SHA-256."""
    found, data = {}, panel()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as place:
        warnings.simplefilter("ignore")
        for name in FORECASTERS:
            made(name)(3).fit(data).save(Path(place, name))
            files = sorted(Path(place, name).iterdir())
            found[name] = {path.name: sha256(path.read_bytes()).hexdigest() for path in files}
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(checksums()))

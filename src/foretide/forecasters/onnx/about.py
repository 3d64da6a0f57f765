"""What an exported file says of its model: names, series, time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide import __version__
from foretide.data.time.frequency import fixed_step
from foretide.data.time.wallclock import wall_grid
from foretide.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from foretide.forecasters.base import Forecaster
    from foretide.typing import Json

KEY = "foretide"
"""Under which the file holds what it is, as JSON."""
FORMAT = 1


def about_model(model: Forecaster) -> Json:
    """What belongs to every model: names, series, time."""
    fitted = model._fitted
    assert fitted is not None
    grid = wall_grid(fitted.grid)
    step = None if grid.is_integer else fixed_step(str(grid.freq))
    return {
        "format": FORMAT, "foretide": __version__, "model": model.name, "class": type(model).__name__,
        "targets": list(fitted.targets), "ids": list(fitted.ids), "freq": fitted.freq, "tz": fitted.tz,
        "start": int(grid.start) if grid.is_integer else str(grid.start),
        "step_seconds": None if step is None else step / 1e9, "fitted_until": fitted.until,
    }  # fmt: skip


def check_free(path: Path) -> None:
    """Refuse to replace a file that is none of ours."""
    if not path.is_file():
        return
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        ours = onnx.load(path, load_external_data=False).producer_name == KEY
    except DecodeError:
        ours = False
    if not ours:
        raise StorageError(
            f"{path} is there and was not written by export_onnx. Name another file, or remove it first."
        )

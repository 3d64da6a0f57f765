"""A forecaster that kills its worker."""

from __future__ import annotations

import os
import signal
import warnings

from foretide.forecasters.base import FitPart
from foretide.forecasters.simple.baselines import Persistence


class Deadly(Persistence):
    """Kills its process when it is fitted on a series that begins with 666, and warns of every other."""

    def _fit(self, part: FitPart) -> None:
        if part.panel.rows(0)[0, 0] == 666:
            os.kill(os.getpid(), signal.SIGKILL)
        warnings.warn("rather deadly", UserWarning, stacklevel=1)

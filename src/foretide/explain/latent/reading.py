"""A panel as a fitted LAVAR reads it: states of all rows, states expected ahead, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from foretide.data.windows import Windows, evenly, first_rows
from foretide.errors import ConfigError, NotFittedError
from foretide.evaluation.compare.tests import holm
from foretide.explain.chance import cutoff_means, mean_test
from foretide.explain.latent.modes import companion_of
from foretide.explain.origins import fit_end, windows_at
from foretide.forecasters.lavar.features import Look, answers
from foretide.forecasters.lavar.latent_state import covariates
from foretide.forecasters.lavar.lavar import LAVAR
from foretide.models.dynamics import VAR
from foretide.training.latent import rolled_out
from foretide.typing import Array, Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Callable

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.lavar.parts import Parts
    from foretide.typing import Times

MOST_WINDOWS = 98
"""Windows at which responses of targets are looked at, evenly spread."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Latent states of a panel, in standard units of the training part.

    Attributes
    ----------
    panel : Panel
    parts : Parts
        The fitted model.
    h : int
    windows : Windows
        Where the state is rolled out.
    in_sample : bool
        Whether the model learned from rows after the first of the windows' cutoffs.
    end : int
        Last grid step that ``fit`` saw.
    x : ``[R, C]``
        What the encoder reads, scaled; entities one after the other.
    z : ``[R, K]``
    ahead : ``[W, h, K]``
    known : bool ``[R]``
        Rows with at least one observed value that the encoder reads.
    learned : bool ``[R]``
        Known rows up to the end of what ``fit`` saw; all known rows up to the last cutoff where these are too few.
    """

    panel: Panel
    parts: Parts
    h: int
    windows: Windows
    in_sample: bool
    end: int
    x: Floats
    z: Floats
    ahead: Floats
    known: Bools
    learned: Bools

    @classmethod
    def of(cls, model: Forecaster, panel: Panel, cutoffs: Times | Windows | None) -> Reading:
        """Read a panel at cutoffs; None: all windows after what ``fit`` saw, or all windows where there are none."""
        parts, end = parts_of(model), fit_end(model, panel)
        state, order = parts.state, parts.state.model.config.order
        windows, in_sample = windows_at(
            panel, cutoffs, rows=order, h=model.h, end=end, usable=_known_rows(panel, state.source)
        )
        view, at = model.view(panel, windows), windows.steps(panel)
        panel, windows = view.panel, view.windows
        end += int(windows.steps(panel)[0] - at[0])
        known = _known_rows(panel, state.source)
        z, ahead = state.read(panel, parts.preparation, windows, model.h, all_rows=True)
        x = covariates(panel, parts.preparation, state.source).astype(np.float64)
        step, last = _steps(panel), np.repeat(_last_cutoffs(panel, windows), panel.length)
        learned = known & (step <= end)
        if learned.sum() < 2 * (order * z.shape[1] + 1):
            learned = known & (step <= last)
        return cls(panel, parts, model.h, windows, in_sample, end, x, z, ahead, known, learned)

    @property
    def order(self) -> int:
        """Lags of the dynamics, ``p``."""
        return int(self.parts.state.model.config.order)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what the encoder reads, ``C``."""
        panel, source = self.panel, self.parts.state.source
        return {"past": panel.past, "targets": panel.targets, "both": panel.targets + panel.past}[source]

    @property
    def latents(self) -> tuple[str, ...]:
        """Names of the latent states, ``z1 ..``."""
        return tuple(f"z{k + 1}" for k in range(self.z.shape[1]))

    def rows(self) -> Ints:
        """Row of each cutoff among the compact rows, ``[W]``."""
        return np.asarray(first_rows(self.panel.length)[self.windows.entity] + self.windows.cutoff)

    def coefficients(self) -> tuple[Floats, Floats]:
        """Coefficients ``[p, K, K]``, newest lag first, and constant ``[K]``, of states in standard units.

        A GRU's are those of its linearisation at the mean state.
        """
        state, dynamics = self.parts.state, self.parts.state.model.dynamics
        with torch.no_grad():
            if isinstance(dynamics, VAR):
                a, c = (t.double().numpy() for t in dynamics.coefficients())
                c = c + a.sum(axis=0) @ state.location - state.location
            else:
                rest = torch.from_numpy(np.tile(state.location, (self.order, 1))).float()[None]
                with torch.enable_grad():
                    slope = _jacobian(dynamics.step, rest)
                a = slope[0, :, 0].transpose(0, 1).flip(0).double().numpy()
                c = dynamics.step(rest)[0].double().numpy() - state.location
        return a * state.scale / state.scale[:, None], c / state.scale

    def companion(self) -> Floats:
        """Companion matrix ``[p K, p K]`` of states in standard units, newest first."""
        return companion_of(self.coefficients()[0])

    def one_step_errors(self) -> Floats:
        """Errors of the state one step ahead, ``[n, K]``, over the learned rows."""
        rows = self._with_history(self.learned)
        return np.asarray(self.z[rows] - self._one_step(rows - 1))

    def _with_history(self, wanted: Bools) -> Ints:
        """Wanted rows whose ``p`` predecessors belong to the same entity."""
        place = _steps(self.panel) - np.repeat(self.panel.first, self.panel.length)
        return np.flatnonzero(wanted & (place >= self.order))

    def _one_step(self, cutoff_rows: Ints) -> Floats:
        """State expected one step after some rows, ``[n, K]``."""
        state = self.parts.state
        raw = torch.from_numpy(self.z * state.scale + state.location).float()
        ahead = rolled_out(state.model, raw, torch.from_numpy(cutoff_rows), 1)[:, 0].double().numpy()
        return np.asarray((ahead - state.location) / state.scale)

    def errors_ahead(self) -> tuple[Floats, Floats]:
        """Squared errors of rollout and persistence, ``[W, h]`` each, means over latents; NaN where not known."""
        cutoff = self.windows.cutoff[:, None] + np.arange(1, self.h + 1)
        inside = cutoff < self.panel.length[self.windows.entity][:, None]
        rows = self.rows()[:, None] + np.arange(1, self.h + 1)
        rows = np.where(inside, rows, 0)
        known = inside & self.known[rows]
        truth, now = self.z[rows], self.z[self.rows()][:, None, :]
        ahead, kept = (np.where(known, ((truth - guess) ** 2).mean(axis=2), np.nan) for guess in (self.ahead, now))
        return ahead, kept

    def target_responses(self, shocks: Floats) -> tuple[Floats, Floats]:
        """Change of the forecasts when the state is shocked at the first step ahead, the mean over windows.

        The forecast with the shocked rollout minus the one without, as the model would give both; what was observed up
        to the cutoff stays as it is. At most :data:`MOST_WINDOWS` windows are looked at.

        Parameters
        ----------
        shocks : ``[H, K, J]``
            What each shock adds to the state at each step ahead, in standard units.

        Returns
        -------
        Responses ``[H, D, J]`` and mean forecasts without a shock ``[H, D]``, in original units.
        """
        parts, panel = self.parts, self.panel
        windows = self.windows[evenly(len(self.windows), MOST_WINDOWS)]
        plain = Look.at(
            panel, windows, self.h, parts.state, parts.preparation, parts.own_history, all_rows=True,
            known_ahead=parts.known_ahead,
        )  # fmt: skip
        k, n_shocks = shocks.shape[1:]
        # All shocks side by side as windows of their own: one pass through base and heads.
        added = np.concatenate([np.zeros((1, self.h, k)), np.moveaxis(shocks, 2, 0)])
        ahead = (plain.ahead[None] + added[:, None]).reshape(-1, self.h, k)
        copies = np.tile(np.arange(len(windows)), n_shocks + 1)
        features = plain.features[copies]
        features[:, :, :k] = ahead
        look = replace(plain, windows=windows[copies], ahead=ahead, features=features, learning=False)
        mean, _ = answers(parts, look, look.base(parts.base, parts.effects))
        guard = replace(parts.guard, whole=False)
        mean, _, _ = guard.apply(panel, look.windows, parts.base.positions(panel)[look.windows.entity], mean, None)
        mean = mean.reshape(n_shocks + 1, len(windows), self.h, -1).mean(axis=1)
        return np.moveaxis(mean[1:] - mean[0], 0, 2), mean[0]

    def errors_by_step(self, level: float) -> pd.DataFrame:
        """Errors of rollout and persistence by step ahead, tested by cutoff; see ``DynamicsSummary.latent_errors``."""
        steps, where = np.unique(self.windows.steps(self.panel), return_inverse=True)
        distance = int(np.diff(steps).min()) if len(steps) > 1 else 1
        ours, kept = (cutoff_means(np.nan_to_num(e).T, ~np.isnan(e.T), where).T for e in self.errors_ahead())
        lines = []
        for h in range(1, self.h + 1):
            a, b = ours[:, h - 1], kept[:, h - 1]
            known = ~np.isnan(a - b)
            n = int(known.sum())
            mse, persistence = (float(v[known].mean()) if n else np.nan for v in (a, b))
            low, high, p_value = mean_test((a - b)[known], -(-h // distance), level=level)
            lines.append({
                "h_step": h, "n": n, "mse": mse, "persistence": persistence,
                "skill": 1 - mse / persistence if n and persistence > 0 else np.nan,
                "difference": mse - persistence, "low": low, "high": high, "p_value": p_value,
            })  # fmt: skip
        table = pd.DataFrame(lines)
        return table.assign(p_holm=holm(table["p_value"].to_list()))

    def loadings(self) -> tuple[Floats, Floats]:
        """Jacobian of the decoder at the mean state and correlations, ``[C, K]`` each."""
        state = self.parts.state
        jacobian = _jacobian(state.model.decode, torch.from_numpy(state.location).float()).double().numpy()
        x, z = self.x[self.learned], self.z[self.learned]
        x, z = x - x.mean(axis=0), z - z.mean(axis=0)
        size = np.sqrt(np.outer((x**2).sum(axis=0), (z**2).sum(axis=0)))
        return jacobian * state.scale, np.where(size > 0, x.T @ z / np.where(size > 0, size, 1.0), np.nan)

    def path(self) -> pd.DataFrame:
        """Columns: id, time and one per latent, for the known rows."""
        panel = self.panel
        entity = np.repeat(np.arange(panel.n_entities), panel.length)[self.known]
        columns: dict[str, Array | pd.Index] = {
            panel.names.id: np.array(panel.ids, dtype=object)[entity],
            panel.names.time: panel.grid.output_times(self.steps()[self.known]),
        }
        return pd.DataFrame({**columns, **dict(zip(self.latents, self.z[self.known].T, strict=True))})

    def steps(self) -> Ints:
        """Grid step of each compact row, ``[R]``."""
        return _steps(self.panel)


def parts_of(model: Forecaster) -> Parts:
    """Return what a fitted LAVAR is made of."""
    if not isinstance(model, LAVAR):
        raise ConfigError(
            f"Only a LAVAR has a latent state, got {getattr(model, 'name', model)}. Type "
            "ft.explain.dynamics(ft.LAVAR(h=14).fit(panel), panel); for the inputs of other models, ft.explain.inputs."
        )
    if model.parts_ is None:
        raise NotFittedError(f"{model.name} is not fitted. Type: model.fit(panel, until=...)")
    return model.parts_


def _jacobian(function: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> torch.Tensor:
    jacobian: torch.Tensor = torch.autograd.functional.jacobian(function, at)  # type: ignore[no-untyped-call]
    return jacobian


def _known_rows(panel: Panel, source: str) -> Bools:
    d, c = panel.n_targets, panel.n_targets + len(panel.past)
    low, high = {"past": (d, c), "targets": (0, d), "both": (0, c)}[source]
    return np.concatenate([(~np.isnan(panel.rows(i)[:, low:high])).any(axis=1) for i in range(panel.n_entities)])


def _steps(panel: Panel) -> Ints:
    """Grid step of each compact row, ``[R]``."""
    return np.concatenate([panel.first[i] + np.arange(panel.length[i]) for i in range(panel.n_entities)])


def _last_cutoffs(panel: Panel, windows: Windows) -> Ints:
    """Step of each entity's last cutoff, ``[N]``; before all rows where it has none."""
    last = np.full(panel.n_entities, np.iinfo(np.int64).min)
    np.maximum.at(last, windows.entity, windows.steps(panel))
    return last

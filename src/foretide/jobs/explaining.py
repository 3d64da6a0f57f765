"""What the models of a run folder say: attention, latent state and inputs, in words, tables and pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretide.data.files import file_name, read_text
from foretide.errors import ArtifactError, ConfigError
from foretide.explain import attention, dynamics, inputs
from foretide.forecasters.artifact import load
from foretide.jobs.config import Config, read_yaml
from foretide.jobs.explained_tables import attention_found, inputs_found, latent_found
from foretide.jobs.folder import RunFolder
from foretide.jobs.origins import Origins
from foretide.jobs.pictures import write_picture
from foretide.jobs.prepare import prepare
from foretide.jobs.saved import chosen_model, saved_models
from foretide.jobs.threads import networks_in
from foretide.report.explain_figures import belief_figure, input_figure
from foretide.report.figures import attention_figure
from foretide.report.latent_figures import latent_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from foretide.forecasters.base import Forecaster
    from foretide.jobs.prepare import Prepared

FOLDER, PAGE, EXPLAINED = "explain", "explain.md", "explain/explain.json"
SUBJECTS = ("Attention", "Latent state", "Inputs")
MOST_CUTOFFS, MOST_FOR_INPUTS = 2000, 200
"""Cutoffs looked at, evenly spread: by attention and latent state; by the slower permutation of inputs. Fewer of many
entities; see :class:`foretide.jobs.origins.Origins`."""
REPEATS = 5


@dataclass
class Section:
    """What was found about one model.

    Attributes
    ----------
    title : str
    sentences : list of str
    tables : dict
        File name -> table.
    figures : dict
        File name -> picture.
    """

    title: str
    sentences: list[str]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)


def explain_run(
    folder: str | os.PathLike[str],
    *,
    model: str | None = None,
    with_inputs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Explain the networks that :func:`foretide.run` (or a search) left in a folder, or the last fits of a backtest.

    On windows that the model has not learned from; where these are too few, on all, and the sentences say so.

    Parameters
    ----------
    folder : path
        Holds ``settings.yaml`` and ``models``; gets ``explain.md`` and, in ``explain``, tables and pictures.
    model : str, optional
        One of its models; all networks by default.
    with_inputs : bool
        Whether the importance of inputs is measured too, which forecasts many times.
    progress : callable, optional
        Gets one line of text per model and subject.

    Returns
    -------
    Path
        Of ``explain.md``.

    Raises
    ------
    ArtifactError, ConfigError
        For a folder without models, and a name that is not among them.
    """
    run = RunFolder(Path(folder))
    found = _models(run.path, model)
    prepared = prepare(Config.model_validate(read_yaml(read_text(run.path / "settings.yaml"))))
    return explain_models(run, found, prepared, with_inputs=with_inputs, progress=progress)


def explain_models(
    run: RunFolder,
    models: Mapping[str, Forecaster],
    prepared: Prepared,
    *,
    with_inputs: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Explain fitted networks on windows they have not learned from, and write what was found into a run folder.

    Parameters
    ----------
    run : RunFolder
    models : mapping
        Name -> network, fitted.
    prepared : Prepared
        What the run worked on.
    with_inputs, progress
        As for :func:`explain_run`.

    Returns
    -------
    Path
        Of ``explain.md``.
    """
    say = progress or (lambda _: None)
    file = run.path / EXPLAINED
    # What was found before stays: other models, and inputs, which are measured only when asked for.
    told = json.loads(read_text(file)) if file.is_file() else []
    order = list(dict.fromkeys([*(part["model"] for part in told), *models]))
    for name, forecaster in models.items():
        for section in _sections(forecaster, prepared, say, with_inputs=with_inputs):
            lines, tables = _written(run, name, section)
            told = [part for part in told if (part["model"], part["subject"]) != (name, section.title)]
            told.append({
                "model": name, "subject": section.title, "sentences": section.sentences, "tables": tables,
                "lines": lines,
            })  # fmt: skip
    told.sort(key=lambda part: (order.index(part["model"]), SUBJECTS.index(part["subject"])))
    run.write_json(EXPLAINED, told)
    parts = [
        f"# What the models of {run.path.name} say",
        "On windows after what each model was fitted on, or those that a sentence names. Every sentence is made from "
        "the figures beside it, and says which threshold decided it.",
    ]
    for name in dict.fromkeys(part["model"] for part in told):
        parts.append(f"## {name}")
        for part in (part for part in told if part["model"] == name):
            parts += [f"### {part['subject']}", " ".join(part["sentences"]), *part["lines"]]
    return run.write_text(PAGE, "\n\n".join(part for part in parts if part) + "\n")


def _models(path: Path, wanted: str | None) -> Mapping[str, Forecaster]:
    """Load the networks of a folder, or the one that was asked for."""
    known = saved_models(path)
    if not known or not (path / "settings.yaml").is_file():
        raise ArtifactError(f"{path} holds no models. Expected a folder made by `foretide run`, `backtest` or `tune`.")
    chosen = known if wanted is None else dict([chosen_model(path, wanted)])
    loaded = {name: load(place) for name, place in chosen.items()}
    networks = networks_in(loaded)
    if not networks:
        raise ConfigError(f"None of {', '.join(loaded)} is a network: there is nothing to explain.")
    return networks


def _sections(
    forecaster: Forecaster, prepared: Prepared, say: Callable[[str], None], *, with_inputs: bool
) -> list[Section]:
    panel, name = prepared.panel, forecaster.name
    freq = panel.grid.freq
    origins = Origins.of(forecaster, panel)
    found = []
    if "attention" in forecaster.explains:
        say(f"{name}: attention")
        summary: Any = attention(forecaster, panel, origins.cutoffs(MOST_CUTOFFS))
        summary = replace(summary, lens=replace(summary.lens, about=origins.about(MOST_CUTOFFS)))
        said, tables = attention_found(summary)
        heat = attention_figure(
            summary.mean_weights[None], model=name, freq=freq, windows=summary.about, n_windows=summary.shape[0]
        )
        figures = {"attention": heat, "attention-belief": belief_figure(tables, model=name, freq=freq)}
        found.append(Section("Attention", said, tables, figures))
    if "latent" in forecaster.explains:
        say(f"{name}: latent state")
        latent: Any = dynamics(forecaster, panel, origins.cutoffs(MOST_CUTOFFS))
        said, tables = latent_found(latent, forecaster, panel)
        found.append(
            Section("Latent state", said, tables, {"latent-state": latent_figure(tables, model=name, freq=freq)})
        )
    if with_inputs:
        say(f"{name}: inputs")
        importance: Any = inputs(forecaster, panel, origins.cutoffs(MOST_FOR_INPUTS), n_repeats=REPEATS)
        said, tables = inputs_found(importance)
        found.append(Section("Inputs", said, tables, {"inputs": input_figure(tables["inputs"], model=name)}))
    return found


def _written(run: RunFolder, name: str, section: Section) -> tuple[list[str], dict[str, str]]:
    """Write tables and pictures of a section; return the lines that point at them, and the tables' files."""
    stem = f"{FOLDER}/{file_name(name)}"
    lines = []
    for key, figure in section.figures.items():
        files = write_picture(run, f"{stem}-{key}", figure)
        lines.append(f"![{section.title} of {name}]({files['png']})\n[The same picture as SVG]({files['svg']})")
    tables = {key: f"{stem}-{key}.csv" for key in section.tables}
    for key, table in section.tables.items():
        run.write(tables[key], lambda path, table=table: table.to_csv(path, index=False, float_format="%.6g"))  # type: ignore[misc]
    if tables:
        lines.append(f"Figures: {', '.join(f'`{file}`' for file in tables.values())}.")
    return lines, tables

"""What ``foretide explain`` found, as sections of the page: sentences first, then the pictures they were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from foretide.data.files import file_name
from foretide.report.explained.belief import belief_pictures
from foretide.report.explained.inputs import input_pictures
from foretide.report.explained.latent import latent_pictures
from foretide.report.run.boards import frame_table
from foretide.report.section import Report, Section

if TYPE_CHECKING:
    from foretide.pictures.picture import Picture
    from foretide.report.content import Content, Explained

Drawn = Callable[["Explained", str, int], "list[Picture]"]
"""Part, word for steps of time, models that share the room -> pictures."""
TABLES = {
    "heads": "What each head of {model} looks at: shares of the weight, entropy in nats, largest lag and distance.",
    "regimes": "{model} inside and outside event windows; intervals of the difference, corrected for their number.",
    "modes": "Modes of {model}'s latent state, half-lives and periods in steps.",
    "target_effects": "How far shocks to all latents of {model} together move each forecast, at the step where most: "
    "in original units, and of the mean forecast.",
    "inputs": "What {model}'s error grows by when an input is replaced; p (Holm) is corrected for their number.",
}
"""Table -> its caption, for those that the page shows as such."""
ABOUT = ("n_inside", "n_outside", "level", "events", "metric", "loss")
"""Columns that say the same in every row; captions tell them."""


def belief(content: Content) -> Section | None:
    """Return what attention says, and whether to believe it."""
    return section("belief", "What attention says", "Attention", belief_pictures, content.explained, content.steps)


def latent(content: Content) -> Section | None:
    """Return the dynamics of the latent state."""
    return section("latent", "Latent dynamics", "Latent state", latent_pictures, content.explained, content.steps)


def inputs(content: Content) -> Section | None:
    """Return which inputs matter."""
    return section("inputs", "Inputs", "Inputs", input_pictures, content.explained, content.steps)


def of_models(content: Content) -> Report:
    """Return what the models say as a report of its own, model by model.

    Parameters
    ----------
    content : Content
        With something explained.

    Returns
    -------
    Report
    """
    said = (
        "On windows after what each model was fitted on, or those that a sentence names. Every sentence is made from "
        "the figures beside it, and says which threshold decided it."
    )
    made = [Section("about", "How to read it", [said])]
    for model in dict.fromkeys(part.model for part in content.explained):
        own = replace(content, explained=[part for part in content.explained if part.model == model])
        found = (_of_subject(own, subject) for subject in dict.fromkeys(part.subject for part in own.explained))
        made += [replace(s, title=f"{model}: {s.title}") for s in found if s]
    return Report(content.name, "what its models say", made)


def _of_subject(content: Content, subject: str) -> Section | None:
    """Return the section of any subject; of one without pictures and captions here, its sentences."""
    known = {"Attention": belief, "Latent state": latent, "Inputs": inputs}
    if subject in known:
        return known[subject](content)
    return section(file_name(subject), subject, subject, lambda *_: [], content.explained, content.steps)


def section(
    identity: str, title: str, subject: str, draw: Drawn, explained: Sequence[Explained], steps: str
) -> Section | None:  # fmt: skip
    """Return the section of one subject, all models in it; None where nothing was found about it."""
    parts = [part for part in explained if part.subject == subject]
    if not parts:
        return None
    several = len({part.model for part in parts}) > 1
    facts = [f"{part.model}: {said}" if several else said for part in parts for said in part.sentences]
    pictures, tables = [], []
    for k, part in enumerate(parts):
        for picture in draw(part, steps, len(parts)):
            file = f"explain/{file_name(part.model)}-{picture.file or identity}"
            pictures.append(replace(picture, id=f"{picture.id}-{k}", file=file))
        for name, caption in TABLES.items():
            if name in part.tables and len(part.tables[name]):
                frame = part.tables[name].drop(columns=[c for c in ABOUT if c in part.tables[name]])
                tables.append(frame_table(f"{name}-{k}", caption.format(model=part.model), frame, ["relative"]))
    return Section(identity, title, facts=facts, pictures=pictures, tables=tables)

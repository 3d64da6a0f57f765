"""What the best explained model looks at, in two sentences; all detail is folded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from foretide.pictures.picture import Picture
from foretide.report.explained import sections as explained
from foretide.report.explained.belief import BY_DISTANCE
from foretide.report.run.attention import CAUSES, attention, attention_caption
from foretide.report.section import Section

if TYPE_CHECKING:
    from foretide.report.content import Content


def looks(content: Content) -> Section | None:
    """Return two sentences on what the best model looks at that was explained, and the sections of detail."""
    weights, belief = attention(content), explained.belief(content)
    if belief is not None and weights is not None and weights.explorer is not None:
        own = [part.model for part in content.explained if part.subject == "Attention"]
        shown = {f"lags-{k}" for k, model in enumerate(own) if model in weights.explorer.data}
        belief = replace(belief, pictures=[_other_views(p) if p.id in shown else p for p in belief.pictures])
    made = [part for part in (weights, belief, explained.latent(content), explained.inputs(content)) if part]
    return Section("looks", "What it looks at", _words(content), more=made) if made else None


def _other_views(picture: Picture) -> Picture:
    """Leave out what the explorer of attention shows already; files show it still."""
    (choice,) = picture.choices
    kept = {name: picture.views[k,] for k, name in enumerate(choice.options) if name != BY_DISTANCE}
    return Picture.with_list(picture.id, picture.title, choice.label, kept)


def _words(content: Content) -> list[str]:
    """Two sentences: of one subject its first two, of several the first of each."""
    order = {model: k for k, model in enumerate(content.ranked)}
    parts = sorted(content.explained, key=lambda part: order.get(part.model, len(order)))
    if parts:
        own = [part for part in parts if part.model == parts[0].model][:2]
        said = list(own[0].brief) if len(own) == 1 else [part.brief[0] for part in own if part.brief]
        return [f"{own[0].model}: {said[0]}", *said[1:]]
    name, kept = next(iter(content.attention.items()))
    return [attention_caption(name, kept.weights, content.steps), CAUSES]

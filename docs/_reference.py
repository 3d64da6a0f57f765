"""Pages of the reference, made from the public names when the site is built: one page a room, one entry a name.

A hook of MkDocs; see ``mkdocs.yml``. Names come from ``foretide.__all__`` and ``foretide.explain.__all__``, so that
nothing is listed here a second time.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from pathlib import Path
from types import ModuleType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import foretide as ft


def pages() -> dict[str, str]:
    """Return the text of each page by its address: ``reference/<room>.md``."""
    entries: dict[str, list[str]] = defaultdict(list)
    for owner in (ft, ft.explain, ft.synthetic, ft.errors):
        for name in getattr(owner, "__all__", None) or [n for n in vars(owner) if n[:1].isupper()]:
            value = getattr(owner, name)
            if isinstance(value, ModuleType) or not callable(value):
                continue
            parts = [*reversed(inspect.getmro(value))] if inspect.isclass(value) else [value]
            for part in parts:
                place = f"{part.__module__}.{part.__qualname__}"
                if place.startswith("foretide.") and not part.__name__.startswith("_"):
                    entries[place.split(".")[1]].append(place)
    return {
        f"reference/{room}.md": "\n\n".join(
            [f"# Reference: {room}", *(f"::: {place}" for place in dict.fromkeys(places))]
        )
        for room, places in sorted(entries.items())
    }


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Leave out the roles of Sphinx: docstrings are read in the editor too, where they say what a name is."""
    return re.sub(r":(class|func|meth|mod|attr|data):(?=<|`)", "", output)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the start page, which is the README, and the reference to the pages that lie in ``docs``."""
    readme = (Path(config["docs_dir"]).parent / "README.md").read_text(encoding="utf-8")
    start = {"index.md": readme.replace("](docs/", "](")}
    for address, text in {**start, **pages()}.items():
        files.append(File.generated(config, address, content=text))
    return files

"""How Sphinx makes HTML of the Markdown files where they lie: `python3 dev.py docs`.

The pages are read as plain files too, so nothing of Sphinx stands in them: what the sidebar shows is what
docs/README.md links to, under its headings.
"""

import re
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTENTS = HERE / "README.md"

project = "LandmarkHeatmap"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["**.md"]
exclude_patterns = [".*", "build", "demo-output*"]
# Links to headings are those that forges make.
myst_heading_anchors = 6
html_copy_source = False
html_theme_options = {"page_width": "72em", "sidebar_width": "17em", "fixed_sidebar": True}


def sidebar() -> str:
    """A toctree for each heading of the contents, of what is linked to below it."""
    _, *parts = re.split(r"^## (.+)$", CONTENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    linked = [re.findall(r"\]\(([^)#]+)\.md\)", text) for text in parts[1::2]]
    linked[0].insert(0, "README")
    return "\n\n".join(_toctree(title, links) for title, links in zip(parts[::2], linked))


def _toctree(title: str, links) -> str:
    root = HERE.parent
    pages = [(HERE / f"{link}.md").resolve().relative_to(root).with_suffix("") for link in links]
    named = "\n".join(page.as_posix() for page in dict.fromkeys(pages))
    return f"```{{toctree}}\n:hidden:\n:caption: {title}\n:maxdepth: 1\n\n{named}\n```"


def setup(app) -> None:
    def add_sidebar(app, name, source):
        if name == root_doc:
            source[0] += f"\n\n{sidebar()}\n"

    def add_index(app, error):
        """What a web server shows of a folder is the front page."""
        if error is None and app.builder.format == "html":
            shutil.copy(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")

    app.connect("source-read", add_sidebar)
    app.connect("build-finished", add_index)

"""HTML in one file: no network, no scripts, pictures inside. What a report says stands in report.py."""

from __future__ import annotations

import base64
from html import escape

from landmark_heatmap.judging.bootstrap import Figure
from landmark_heatmap.lengths import decimals_of

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f8fa; color: #24292f; line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.quiet { color: #57606a; font-size: .9rem; }
section { background: #fff; border: 1px solid #d8dee4; border-radius: 10px;
  padding: 1.25rem 1.5rem; margin-top: 1.25rem; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
.card { flex: 1 1 7rem; background: #fff; border: 1px solid #d8dee4; border-radius: 10px;
  padding: .8rem 1rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.25; font-weight: 650; }
.card span { display: block; color: #57606a; font-size: .8rem; }
.verdict { border-left: 6px solid #57606a; font-size: 1.05rem; }
.verdict.better { border-left-color: #0072B2; }
.verdict.worse, .verdict.mixed { border-left-color: #D55E00; }
.warning { background: #fff8e1; border-color: #e0c36a; }
.warning p { margin: .2rem 0; }
figure { margin: .75rem 0 0; }
figure img { max-width: 100%; height: auto; display: block; border-radius: 4px; }
figcaption { color: #57606a; font-size: .85rem; margin-top: .35rem; max-width: 46rem; }
.side { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.side figure { flex: 1 1 24rem; }
.cases { display: flex; flex-wrap: wrap; gap: 1rem; }
.cases figure { flex: 0 1 calc(50% - .5rem); min-width: 22rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums;
  width: 100%; margin-top: .5rem; }
th, td { padding: .3rem .4rem; text-align: right; white-space: nowrap; }
th { font-weight: 600; color: #57606a; border-bottom: 1px solid #d8dee4; vertical-align: bottom;
  white-space: normal; }
td { border-bottom: 1px solid #eef1f4; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.all td { font-weight: 650; border-bottom: 0; }
td small { color: #57606a; display: block; line-height: 1.1; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 0;
  font-size: .9rem; }
dt { color: #57606a; }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin-top: .9rem; font-size: .9rem; }
summary { cursor: pointer; color: #57606a; }
@media (max-width: 48rem) { .cases figure { flex: 1 1 100%; min-width: 0; } }
@media print { body { background: #fff; } section, .card { break-inside: avoid; } }
"""


def page(title: str, parts) -> str:
    """A whole document. parts: HTML, in order."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str, kind: str = "") -> str:
    heading = f"<h2>{escape(title)}</h2>\n" if title else ""
    attribute = f' class="{kind}"' if kind else ""
    return f"<section{attribute}>\n{heading}" + "\n".join(parts) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def cards(entries) -> str:
    """entries: (label, value, further lines) each."""
    boxes = []
    for label, value, *lines in entries:
        below = "".join(f"<span>{escape(line)}</span>" for line in lines if line)
        boxes.append(
            f'<div class="card"><span>{escape(label)}</span><b>{escape(value)}</b>{below}</div>'
        )
    return '<div class="cards">' + "".join(boxes) + "</div>"


def picture(png: bytes, caption: str, alternative: str = "") -> str:
    """caption: below the picture. alternative: what stands for it where it is not seen."""
    text = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img alt="{escape(alternative or caption)}" src="data:image/png;base64,{text}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(header, rows, last_is_all: bool = False) -> str:
    """rows: of texts, or of (text, smaller text) as `told` gives them."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = []
    for number_, row in enumerate(rows, 1):
        cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row)
        mark = ' class="all"' if last_is_all and number_ == len(rows) else ""
        body.append(f"<tr{mark}>{cells}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
        + "".join(body)
        + "</tbody></table></div>"
    )


def _cell(cell) -> str:
    if not isinstance(cell, tuple):
        return escape(str(cell))
    text, small = map(escape, cell)
    return f"{text}<small>{small}</small>" if small else text


def facts(entries) -> str:
    """entries: (what, value); those without a value are left out."""
    return (
        "<dl>"
        + "".join(
            f"<dt>{escape(what)}</dt><dd>{escape(str(value))}</dd>"
            for what, value in entries
            if value not in (None, "", [], ())
        )
        + "</dl>"
    )


def details(summary: str, *parts: str) -> str:
    """What only some want to see, folded away."""
    return f"<details><summary>{escape(summary)}</summary>" + "".join(parts) + "</details>"


def number(value, like=None) -> str:
    """Three significant digits. like: a value whose decimals are taken."""
    return "–" if value is None else _decimal(value, decimals_of(value if like is None else like))


def told(figure: Figure) -> tuple:
    """(value, interval) as texts: ('1.90', '1.62–2.21'), the interval as exact as the value."""
    limits = [number(limit, like=figure.value) for limit in figure.interval or ()]
    return number(figure.value), _range(limits)


def told_percent(figure: Figure) -> tuple:
    """The same of a share, in percent."""
    return percent(figure.value), _range([percent(limit) for limit in figure.interval or ()])


def percent(share) -> str:
    """In percent, without the sign; all and nothing without decimals."""
    return "–" if share is None else "100" if share == 1 else _decimal(100 * share, 1)


def _range(limits) -> str:
    """Nothing where there is no width: 'from 0 to 0' tells nobody anything."""
    if len(set(limits)) < 2:
        return ""
    return (" to " if "−" in "".join(limits) else "–").join(limits)


def _decimal(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return "0" if not float(text) else text.replace("-", "−")

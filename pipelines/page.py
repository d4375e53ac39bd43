"""HTML pages that need nothing but themselves: no script, no font, no picture from elsewhere, so that they can be sent and printed.

What must not live here: what a page is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 0 auto; max-width: 80rem; padding: 0 1rem 4rem }
h1, h2, h3, h4 { line-height: 1.2 } h2 { margin-top: 3rem; border-top: 4px solid #1b1b1b; padding-top: 1rem }
a { color: #00539f } a:focus, summary:focus { outline: 3px solid #b35900; outline-offset: 2px }
.skip { position: absolute; left: -99rem } .skip:focus { position: static }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem } caption { text-align: left; font-weight: bold; padding: .5rem 0 }
th, td { border-bottom: 1px solid #767676; padding: .4rem .6rem .4rem 0; text-align: left; vertical-align: top; overflow-wrap: break-word }
th[scope=row] { font-weight: 600; min-width: 9rem } code { font-size: .95em; overflow-wrap: anywhere }
.entries > li { border-bottom: 1px solid #767676; padding: .8rem 0; break-inside: avoid }
.entries dl { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr; gap: .2rem 1rem; margin: 0 } dt { font-weight: 600 }
dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere }
.critical { font-weight: bold; color: #a8071a } summary { cursor: pointer }
@media print { nav { display: none } details > * { display: block } thead { display: table-header-group } tr { break-inside: avoid } }
"""


def page(title: str, introduction: str, navigation: str, content: str) -> str:
    """A whole page; all but the title is HTML."""
    return f"""<!doctype html>
<html lang="en-GB">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head>
<body>
<a class="skip" href="#content">To the content</a>
<header><h1>{escape(title)}</h1>
{introduction}</header>
{navigation}
<main id="content">
{content}</main>
</body>
</html>"""


def headed_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a caption and headed rows, so that it can be heard as well as seen. Cells are HTML."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"
        for first, *others in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def entries(rows: Iterable[Iterable[tuple[str, str]]]) -> str:
    """What has too many columns for a table, one entry after another: pairs of what it is (text) and what it says (HTML)."""
    items = (
        "<li><dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{said}</dd>" for name, said in row) + "</dl></li>"
        for row in rows
    )
    return '<ol class="entries">\n' + "\n".join(items) + "\n</ol>"

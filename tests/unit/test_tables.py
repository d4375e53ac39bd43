"""Each cell of a console's table says which column it is of, for a screen on which cells stand below each other."""

from __future__ import annotations

from markupsafe import Markup

from console.tables import labelled


def test_each_cell_has_the_head_of_its_column() -> None:
    rows = Markup('<tr><th scope="row">a</th><td>1</td><td class="number">2</td></tr>\n<tr class="x"><td>b</td></tr>')
    assert labelled(rows, ["Feed", "Said & done", "Rows"]) == Markup(
        '<tr><th scope="row">a</th><td data-head="Said &amp; done">1</td><td data-head="Rows" class="number">2</td></tr>\n'
        '<tr class="x"><td data-head="Feed">b</td></tr>'
    )


def test_a_cell_over_all_columns_is_of_none() -> None:
    rows = Markup('<tr><td colspan="2">Nothing yet.</td></tr>')
    assert labelled(rows, ["When", "What"]) == rows


def test_what_somebody_wrote_is_no_cell() -> None:
    rows = Markup("<tr><td>{}</td></tr>").format("<td>")
    assert labelled(rows, ['"><script>']) == Markup('<tr><td data-head="&#34;&gt;&lt;script&gt;">&lt;td&gt;</td></tr>')

"""The standard pictures of the analysts' mart: `make notebook` opens them in a browser, on this machine alone.

Each cell is one question and one picture of it; change the SQL and the picture follows. Every question goes into the access log with the
purpose at the top. What is drawn counts children and names none, but small numbers stand as they are: for the hub, not for handing on
(docs/aggregates.md says what is).
"""

import marimo

app = marimo.App(width="medium", app_title="Tessera: the standard pictures")

with app.setup:
    import altair as alt
    import marimo as mo
    import pandas as pd

    from pipelines.mart import Mart

    # Colours that stay apart for those who see few of them (Okabe and Ito, 2008).
    COLOURS = alt.Scale(range=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"])

    def shown(question: str, picture: alt.Chart | alt.LayerChart) -> mo.Html:
        """A picture under its question, without the menu that would open it in a page of somebody else's."""
        return mo.vstack([mo.md(f"## {question}"), picture.properties(usermeta={"embedOptions": {"actions": False}})])

    def bars(
        found: pd.DataFrame, across: str, up: str, *, across_title: str = "", up_title: str = "children"
    ) -> alt.Chart:
        """One bar for each row, in the order of the rows, with its number at its end."""
        drawn = alt.Chart(found).encode(
            x=alt.X(f"{up}:Q", title=up_title, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y(f"{across}:N", title=across_title, sort=None, axis=alt.Axis(labelLimit=320)),
        )
        return (
            drawn.mark_bar(color="#0072B2") + drawn.mark_text(align="left", dx=4).encode(text=f"{up}:Q")
        ).properties(width=480)

    def stacked(found: pd.DataFrame, across: str, up: str, by: str) -> alt.Chart:
        """One bar for each value of `across`, in parts."""
        return (
            alt.Chart(found)
            .mark_bar()
            .encode(
                x=alt.X(f"{up}:Q", title=up, axis=alt.Axis(tickMinStep=1)),
                y=alt.Y(f"{across}:N", title="", axis=alt.Axis(labelLimit=320)),
                color=alt.Color(f"{by}:N", title="", scale=COLOURS),
            )
            .properties(width=480)
        )

    def lines(found: pd.DataFrame, by: str, *, up: str, up_title: str) -> alt.Chart:
        """One line for each value of `by` over the months."""
        return (
            alt.Chart(found)
            .mark_line(point=True)
            .encode(
                x=alt.X("month:T", title="", axis=alt.Axis(format="%b %Y", labelAngle=-45)),
                y=alt.Y(f"{up}:Q", title=up_title, axis=alt.Axis(tickMinStep=1)),
                color=alt.Color(f"{by}:N", title="", scale=COLOURS),
                strokeDash=alt.StrokeDash(f"{by}:N", title=""),
            )
            .properties(width=480, height=260)
        )


@app.cell
def purpose_asked():
    purpose = mo.ui.text(value="standard pictures", label="What for? It is kept with each look.", full_width=True)
    mo.vstack([mo.md("# The standard pictures"), purpose])
    return (purpose,)


@app.cell
def opened(purpose):
    mart = Mart("analyst", purpose=purpose.value, config=mo.cli_args().get("config") or "tessera.yaml")
    night = mart.ask("FROM mart")
    mo.md(f"Load {night.load_id[0]} of {night.date[0]:%d %B %Y}; views of version {night.schema_version[0]}.")
    return (mart,)


@app.cell
def known_to_how_many(mart):
    known = mart.ask("""
        SELECT len(agencies) AS agencies, count(*) AS children
        FROM children GROUP BY ALL ORDER BY agencies
    """)
    shown(
        "How many children does how many agencies know?", bars(known, "agencies", "children", across_title="agencies")
    )
    return


@app.cell
def known_to_both(mart):
    both = mart.ask("""
        SELECT a.agency AS one, b.agency AS other, count(DISTINCT a.person_id) AS children
        FROM (SELECT person_id, unnest(agencies) AS agency FROM children) AS a
        JOIN (SELECT person_id, unnest(agencies) AS agency FROM children) AS b USING (person_id)
        GROUP BY ALL ORDER BY ALL
    """)
    grid = alt.Chart(both).encode(
        x=alt.X("one:N", title="", axis=alt.Axis(labelAngle=-45)), y=alt.Y("other:N", title="")
    )
    shades = grid.mark_rect().encode(
        color=alt.Color("children:Q", scale=alt.Scale(scheme="blues", domainMin=0), legend=None)
    )
    numbers = grid.mark_text().encode(
        text="children:Q",
        color=alt.condition(alt.datum.children > both.children.max() / 2, alt.value("white"), alt.value("black")),
    )
    shown("Whom do two agencies both know?", (shades + numbers).properties(width=340, height=340))
    return


@app.cell
def told_by_month(mart):
    told = mart.ask("""
        SELECT month, agencies.agency, count(event_id) AS events
        FROM (
            SELECT unnest(generate_series(date_trunc('month', date) - INTERVAL 2 YEAR, date, INTERVAL 1 MONTH)) AS month
            FROM mart
        ) AS months
        CROSS JOIN (SELECT DISTINCT agency FROM chronology) AS agencies
        LEFT JOIN chronology ON chronology.agency = agencies.agency AND date_trunc('month', sorts_at) = month
            AND event_id = same_as AND retracted_at IS NULL
        GROUP BY ALL ORDER BY ALL
    """)
    shown("How much was told, by whom, each month?", lines(told, "agency", up="events", up_title="events"))
    return


@app.cell
def told_of_what(mart):
    what = mart.ask("""
        SELECT event_type, count(DISTINCT person_id) AS people
        FROM chronology
        WHERE event_id = same_as AND retracted_at IS NULL
          AND sorts_at > (SELECT date FROM mart) - INTERVAL 1 YEAR
        GROUP BY ALL ORDER BY people DESC LIMIT 20
    """)
    shown("What was told most, in the last year?", bars(what, "event_type", "people", up_title="people"))
    return


@app.cell
def open_at_the_moment(mart):
    open_spans = mart.ask("""
        SELECT kind, count(DISTINCT person_id) AS children
        FROM spans WHERE ended_on IS NULL AND retracted_at IS NULL
        GROUP BY ALL ORDER BY children DESC
    """)
    shown("For how many children is what open?", bars(open_spans, "kind", "children"))
    return


@app.cell
def where_plans_are(mart):
    where = mart.ask("""
        SELECT coalesce(postcode, 'not known, or protected') AS district, count(DISTINCT spans.person_id) AS children
        FROM spans JOIN children USING (person_id)
        WHERE kind = 'child_protection_plan' AND ended_on IS NULL AND retracted_at IS NULL
        GROUP BY ALL ORDER BY children DESC
    """)
    shown("Where do children with a protection plan live?", bars(where, "district", "children"))
    return


@app.cell
def school_missed(mart):
    missed = mart.ask("""
        SELECT date_trunc('month', session_date) AS month,
               CASE WHEN planned.person_id IS NULL THEN 'other children' ELSE 'children with a plan' END AS whose,
               round(100 * avg(CAST(meaning IN ('present', 'approved_activity') AS INTEGER)), 1) AS attended
        FROM attendance
        LEFT JOIN (
            SELECT DISTINCT person_id FROM spans
            WHERE kind = 'child_protection_plan' AND ended_on IS NULL AND retracted_at IS NULL
        ) AS planned USING (person_id)
        WHERE meaning IN ('present', 'approved_activity', 'authorised', 'unauthorised')
        GROUP BY ALL ORDER BY ALL
    """)
    shown(
        "Do children with a plan miss more school?",
        lines(missed, "whose", up="attended", up_title="sessions attended, %"),
    )
    return


@app.cell
def silence(mart):
    covered = mart.ask("""
        SELECT agency, status, count(*) AS people FROM coverage GROUP BY ALL ORDER BY ALL
    """)
    shown("Where is silence no sign of safety?", stacked(covered, "agency", "people", "status"))
    return


@app.cell
def disagreeing(mart):
    disagreed = mart.ask("""
        SELECT attribute, count(*) AS children FROM contradictions GROUP BY ALL ORDER BY children DESC
    """)
    shown("What do sources disagree in?", bars(disagreed, "attribute", "children"))
    return


@app.cell
def signals_raised(mart):
    raised = mart.ask("""
        SELECT rule, CASE useful WHEN true THEN 'useful' WHEN false THEN 'not useful' ELSE 'nobody has said' END AS found,
               count(*) AS raised
        FROM signals GROUP BY ALL ORDER BY ALL
    """)
    shown("Which signals are raised, and did people find them useful?", stacked(raised, "rule", "raised", "found"))
    return


if __name__ == "__main__":
    app.run()

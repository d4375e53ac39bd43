"""One night's linkage: decide, then apply. What lives here: the order of the two. What must not: either of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from linkage.identity import IdentityReport, identify
from linkage.link import Decisions, LinkageReport, link
from linkage.model import LinkageSettings


@dataclass(frozen=True)
class NightReport:
    """What was decided and what changed."""

    linkage: LinkageReport
    identity: IdentityReport


def run(
    con: duckdb.DuckDBPyConnection,
    *,
    load_id: str,
    now: datetime,
    today: date,
    secret: bytes,
    decisions: Decisions = None,
    settings: LinkageSettings | None = None,
) -> NightReport:
    """link() and identify() over the current records of the connection's current database. Each is done whole or not at all."""
    linked = link(con, load_id=load_id, today=today, decisions=decisions, settings=settings)
    return NightReport(linked, identify(con, load_id=load_id, now=now, today=today, secret=secret, settings=settings))

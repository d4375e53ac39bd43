"""One night: every feed for itself, then people, then one switch. A failing feed never stops the others.

What lives here: the order of things, the lock, and the report a person reads in the morning. The words themselves are in line.py.
"""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import filelock

from pipelines.line import FeedFailed, Line, Night
from pipelines.settings import Settings, utc_now
from warehouse.engine import WarehouseError
from warehouse.land import UnbalancedBooksError
from warehouse.publish import PublishError

LEFT_OF_LOAD = ("extract", "land", "check", "conform", "load")
RIGHT_OF_LOAD = ("link", "identify", "publish")


class NightLocked(Exception):  # noqa: N818
    """Another night is running on this data; says which, since when, and what to do."""


class NightFailed(Exception):  # noqa: N818
    """A night could not end; the last good marts are still served, and running again carries on."""


@dataclass
class NightReport:
    """What a night did, in counts and reasons; never a person's value."""

    load_id: str
    feeds: list[dict[str, Any]] = field(default_factory=list)
    standards: list[dict[str, Any]] = field(default_factory=list)
    next: list[dict[str, Any]] = field(default_factory=list)
    people: dict[str, Any] = field(default_factory=dict)
    linkage: dict[str, Any] | None = None
    published: bool = False
    out_of_order: str = ""

    @property
    def failed(self) -> bool:
        return not self.published or any(feed["status"] in ("failed", "partial") for feed in self.feeds)


# On the scale of nice. Of a processor that both want, whoever asks at 0 gets nine parts in ten before one that asks at 10.
GIVES_WAY = 10


@contextmanager
def giving_way() -> Iterator[None]:
    """What runs here lets others go first, such as people at the console of the same computer: it is in less of a hurry than they are.

    Where nobody else wants the processor it takes as long as before. Threads begun meanwhile give way as well. Windows has no such number.
    """
    if not hasattr(os, "setpriority"):
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, GIVES_WAY))
    try:
        yield
    finally:
        with suppress(OSError):  # not everybody may go first again who once gave way
            os.setpriority(os.PRIO_PROCESS, 0, before)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """One night at a time on one data directory, giving way to whoever reads. Raises NightLocked saying who holds it."""
    settings.data_path.mkdir(parents=True, exist_ok=True)
    holder = settings.data_path / "tessera.lock.json"
    lock = filelock.FileLock(settings.data_path / "tessera.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        who = _holder(holder)
        raise NightLocked(
            f"another run holds {settings.data_path}: process {who.get('process', '?')} on {who.get('host', '?')} "
            f"since {who.get('since', '?')} UTC. Wait for it, or stop that process; nothing was changed"
        ) from None
    try:
        about = {"process": os.getpid(), "host": socket.gethostname(), "since": utc_now().isoformat(" ")}
        written = holder.with_name(f"{holder.name}.new")
        written.write_text(json.dumps(about))
        written.replace(holder)
        with giving_way():
            yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> dict[str, Any]:
    """Who wrote that it holds the lock. The note may be half written, or be a killed run's: the lock itself is what holds."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def run_night(
    line: Line, date: dt.date, *, only: Sequence[str] = (), say: Callable[[str, str], None] = lambda subject, step: None
) -> NightReport:
    """Runs one load over the configured sources (or only some) and publishes. `say` hears each step as it begins.

    Raises NightFailed when what is right of load cannot end; feeds that fail are in the report.
    """
    from expectations.gx_duckdb import start_loading

    start_loading()
    night = line.open_night(date)
    line.landing.discard_incoming()
    for name in line.feeds:
        if not only or name in only:
            run_feed(line, night, name, say)
    return _finish(line, night, say)


def put_through(
    line: Line, date: dt.date, feeds: Sequence[str], say: Callable[[str, str], None] = lambda subject, step: None
) -> NightReport:
    """A load of the rows that people released from quarantine, and nothing else: no source is asked, no file read again.

    Raises NightFailed when what is right of load cannot end.
    """
    night = line.open_night(date)
    for name in feeds:
        line.receive_nothing(night, name)
        run_feed(line, night, name, say)
    return _finish(line, night, say)


def _finish(line: Line, night: Night, say: Callable[[str, str], None]) -> NightReport:
    """Right of load, and the report."""
    for step in RIGHT_OF_LOAD:
        say("all", step)
        try:
            getattr(line, step)(night)
        except (duckdb.Error, OSError, WarehouseError, PublishError) as error:
            raise NightFailed(
                f"load {night.load_id} stopped at {step}: {fault(error)}. The last published marts are still served; "
                "mend the cause and run tessera nightly again, it carries on from here"
            ) from None
    return report(line, night)


def run_feed(line: Line, night: Night, name: str, say: Callable[[str, str], None] = lambda subject, step: None) -> bool:
    """The straight line of one feed up to load. False when it failed; why is then in the books."""
    step = LEFT_OF_LOAD[0]
    try:
        for step in LEFT_OF_LOAD:
            say(name, step)
            getattr(line, step)(night, name)
    except FeedFailed as error:
        line.fail(night, name, step, str(error))
        return False
    except UnbalancedBooksError:
        raise
    except Exception as error:
        # Whatever breaks in one feed stops that feed alone. Its message could hold a value of a row; its place cannot.
        if out_of_space(error):
            raise NightFailed(
                f"{name} stopped at {step}: {fault(error)}. Nothing was lost; make room and run again"
            ) from None
        line.fail(night, name, step, f"{name} stopped at {step}: {fault(error)}; its last good data stays")
        return False
    return True


def fault(error: BaseException) -> str:
    """A fault without a person's value: its kind and where in the code; an engine's own words only where they hold no data."""
    if out_of_space(error):
        return "the disk is full"
    own = (
        str(error)
        if type(error).__module__.split(".")[0] in ("connectors", "warehouse", "expectations", "linkage")
        else ""
    )
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return own or f"{type(error).__name__}{place}"


def out_of_space(error: BaseException) -> bool:
    """A full disk, a used-up quota or a file that may not grow, whoever reports it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    words = ("no space left", "disk is full", "disk full", "file too large", "disk quota")
    return isinstance(error, OSError | duckdb.Error | WarehouseError) and any(
        word in str(error).lower() for word in words
    )


def report(line: Line, night: Night) -> NightReport:
    """The morning's page: books, standards, people."""
    rows = line.warehouse.rows
    feeds = rows(
        "SELECT agency || '.' || feed AS feed, received, landed, unchanged, superseded, quarantined, vanished, files, "
        "files_failed, status, message FROM feed_load WHERE load_id = ? ORDER BY feed",
        [night.load_id],
    )
    standards = rows(
        "SELECT severity, status, count(*) AS standards, sum(failed)::BIGINT AS rows FROM quality_result "
        "WHERE load_id = ? AND status NOT IN ('pass', 'not_run') GROUP BY severity, status "
        "ORDER BY list_position(['critical', 'warning', 'info'], severity), status",
        [night.load_id],
    )
    people = rows(
        """
        SELECT (SELECT count(*) FROM person WHERE retired_load_id IS NULL) AS people,
               (SELECT count(*) FROM link WHERE unlinked_at IS NULL) AS records,
               (SELECT count(*) FROM potential_match) AS to_review,
               (SELECT count(*) FROM identity_change WHERE load_id = $load) AS changes,
               (SELECT count(*) FROM (SELECT person_id FROM link JOIN person_record USING (record_id)
                 WHERE unlinked_at IS NULL AND superseded_at IS NULL GROUP BY person_id HAVING count(DISTINCT agency) > 1))
               AS known_to_several_agencies
        """,
        {"load": night.load_id},
    )[0]
    people["alerts"] = [
        row["alert"]
        for row in rows(
            "SELECT alert FROM (SELECT 1 AS turn, measure, alert, load_id FROM linkage_measure UNION ALL"
            " SELECT 2, measure || grouped_by || group_name, alert, load_id FROM linkage_quality)"
            " WHERE load_id = ? AND alert <> '' ORDER BY turn, measure",
            [night.load_id],
        )
    ]
    people["measured"] = rows(
        "SELECT measure, basis, share, low, high, pairs FROM linkage_quality WHERE load_id = ? AND kind = 'sample' AND grouped_by = 'all'"
        " ORDER BY measure",
        [night.load_id],
    )
    published = rows("SELECT count(*) AS n FROM publication WHERE load_id = ?", [night.load_id])[0]["n"] > 0
    steps = _steps(line) if published else []
    return NightReport(
        night.load_id, feeds, standards, steps, people, published=published, out_of_order=out_of_order(line, night)
    )


def out_of_order(line: Line, night: Night) -> str:
    """What to know of a night for an earlier date than one that was published before it; empty of any other.

    It is told and not refused: after a date in the future by mistake, every true date would be one.
    """
    later = line.warehouse.rows(
        "SELECT load_id FROM night WHERE load_seq < ? AND date > ? AND load_id IN (SELECT load_id FROM publication) "
        "ORDER BY date DESC, load_seq DESC LIMIT 1",
        [night.load_seq, night.date],
    )
    if not later:
        return ""
    return (
        f"it stands for {night.date}, before load {later[0]['load_id']}, which was published earlier: what it received counts as the "
        f"newest all the same, and ages, limits and what is stale are reckoned on {night.date}. If the date was a slip, run the night "
        "again with the right one"
    )


def _steps(line: Line) -> list[dict[str, Any]]:
    """What the quality officer does next, from the mart just published."""
    from expectations import agenda
    from warehouse import query

    with query.open_mart(line.settings.marts_path, line.keys, "quality") as con:
        standards = query.rows(con, "SELECT agency || '.' || feed AS feed, * EXCLUDE (feed) FROM quality_standards")
    return [asdict(step) for step in agenda.steps(standards, line.settings.contacts())]

"""Tells people that a night failed, or that somebody broke the glass: by e-mail and webhook, both optional.

Feeds, counts and reasons, and of staff who it was; never a person's value.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

import requests

from pipelines import faults
from pipelines.settings import Mail, Notify

log = logging.getLogger(__name__)


@contextmanager
def telling(settings: Notify, night: str) -> Iterator[None]:
    """Whatever ends a night before its report, people are told: a lock, a wrong key, a full disk, a fault of ours."""
    try:
        yield
    except Exception as error:
        failing = [{"feed": "the night", "status": "failed", "message": faults.said(error)}]
        notify(settings, SimpleNamespace(load_id=night, published=False, feeds=failing))
        raise


def notify(settings: Notify, report: Any) -> None:
    """Sends what failed. A notice that cannot be sent is logged and fails nothing."""
    failing = [feed for feed in report.feeds if feed["status"] in ("failed", "partial")]
    subject = f"Tessera load {report.load_id}: " + ("published" if report.published else "not published")
    subject += f", {len(failing)} feed(s) with failures"
    lines = [f"{feed['feed']}: {feed['status']}: {feed['message']}" for feed in failing]
    content = {"load_id": report.load_id, "published": report.published, "text": subject, "failing": failing}
    _send(settings, subject, "\n".join(lines), content)


def alert(settings: Notify, subject: str, text: str, content: dict[str, Any]) -> bool:
    """Tells people at once of what they must know of; whether at least one way got through. `content` is for the webhook."""
    return _send(settings, subject, text, {**content, "text": subject}) > 0


def _send(settings: Notify, subject: str, text: str, content: dict[str, Any]) -> int:
    """By every way that is set; how many got through."""
    through = 0
    if settings.email is not None:
        try:
            _mail(settings.email, subject, text)
            through += 1
        except (OSError, ValueError) as error:
            log.warning("the notice by e-mail could not be sent (%s); check notify.email", type(error).__name__)
    if settings.webhook is not None:
        try:
            requests.post(settings.webhook, json=content, timeout=20).raise_for_status()
            through += 1
        except requests.RequestException as error:
            log.warning("the notice by webhook could not be sent (%s); check notify.webhook", type(error).__name__)
    return through


def _mail(mail: Mail, subject: str, text: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail.sender, ", ".join(mail.to)
    message.set_content(text)
    with smtplib.SMTP(mail.host, mail.port, timeout=20) as server:
        if mail.starttls:
            server.starttls()
        if mail.user:
            server.login(mail.user, mail.password or "")
        server.send_message(message)

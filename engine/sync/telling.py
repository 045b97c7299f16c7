"""Who hears of trouble, and how often: once for each cause within a quiet time, then a digest, and when it is over.

A message goes to the shop's people by mail and, where Slack is connected, into its channel. What stands in it is
``alerts.words``: nothing secret, nobody's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.identity import Role
from engine.kit.ids import new_id
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.tenancy import Tenant
from engine.mail import service as mail
from engine.payments.models import Alert
from engine.runtime import Runtime
from engine.sync import alerts, posting
from engine.sync.alert_models import Notice
from engine.sync.policy import AlertsPolicy, alerts_policy

TEMPLATE: Final = "sync_alert"
_WORDS: Final = 300
_LINES: Final = 20
"""What one message says of at most."""
_PEOPLE: Final = 20
_UNNAMED: Final = {"name": "A connection", "system": "system", "count": 1}
"""What an alert that says nothing of itself is about."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One sentence of a message, and what it is about."""

    subject: str
    words: str


def tell(runtime: Runtime, tenant_id: str) -> None:
    """Say what is new, what is over and what came while it was quiet."""
    with runtime.unit_of_work(tenant_id) as session:
        policy, now = alerts_policy(session, tenant_id), clock.now()
        quiet = timedelta(minutes=policy.quiet_minutes)
        began = _begun(session, tenant_id, now, quiet)
        ended = _ended(session, tenant_id, now, quiet)
        messages = (
            ("Needs somebody", began),
            ("Over", ended),
            ("Meanwhile", _digest(session, tenant_id, now)),
        )
        for heading, lines in messages:
            if lines:
                _say(session, runtime, tenant_id, policy, heading, lines)


def _begun(session: Session, tenant_id: str, now: datetime, quiet: timedelta) -> list[_Line]:
    """What is wrong and was not noticed yet: told now, or kept for the digest where its cause was told a moment ago."""
    known = exists().where(Notice.tenant_id == Alert.tenant_id, Notice.alert_id == Alert.id)
    query = select(Alert).where(
        Alert.tenant_id == tenant_id, Alert.resolved_at.is_(None), Alert.kind.in_(alerts.KINDS), ~known
    )
    lines = []
    for alert in session.scalars(query.order_by(Alert.created_at, Alert.id)).all():
        told_at = _told_at(session, alert, since=now - quiet)
        facts = _facts(alert)
        words, count = alerts.words(alert.kind, facts)[:_WORDS], int(facts["count"])
        values = {
            "tenant_id": tenant_id,
            "alert_id": alert.id,
            "kind": alert.kind,
            "subject": alert.subject,
            "words": words,
            "count": count,
            "told_count": 0 if told_at else count,
            "told_at": None if told_at else now,
            "digest_at": told_at + quiet if told_at else None,
            "created_at": now,
        }
        if session.scalar(insert(Notice).values(values).on_conflict_do_nothing().returning(Notice.alert_id)) is None:
            continue
        if told_at is None:
            lines.append(_Line(alert.subject, words))
    return lines


def _told_at(session: Session, alert: Alert, *, since: datetime) -> datetime | None:
    """When this cause was told last, if that is not long ago."""
    query = select(Notice.told_at).where(
        Notice.tenant_id == alert.tenant_id,
        Notice.kind == alert.kind,
        Notice.subject == alert.subject,
        Notice.told_at > since,
    )
    return session.scalar(query.order_by(Notice.told_at.desc()).limit(1))


def _ended(session: Session, tenant_id: str, now: datetime, quiet: timedelta) -> list[_Line]:
    """What was told and is over now; of what goes on, how much of it there is by now."""
    lines = []
    for notice, alert in _standing(session, tenant_id):
        facts = _facts(alert)
        notice.count = max(notice.count, int(facts["count"]))
        if alert.resolved_at is None:
            if notice.told_at and notice.count > notice.told_count and notice.digest_at is None:
                notice.digest_at = notice.told_at + quiet
            notice.words = alerts.words(alert.kind, facts)[:_WORDS]
            continue
        notice.over_at = now
        if notice.told_at is not None:
            notice.digest_at = None
            lines.append(_Line(alert.subject, alerts.over(alert.kind, facts)[:_WORDS]))
    return lines


def _standing(session: Session, tenant_id: str) -> Sequence[Row[Notice, Alert]]:
    query = (
        select(Notice, Alert)
        .join(Alert, (Alert.tenant_id == Notice.tenant_id) & (Alert.id == Notice.alert_id))
        .where(Notice.tenant_id == tenant_id, Notice.over_at.is_(None))
    )
    return session.execute(query.order_by(Notice.created_at, Notice.alert_id).with_for_update(of=Notice)).all()


def _digest(session: Session, tenant_id: str, now: datetime) -> list[_Line]:
    """What came while its cause was quiet, and is due to be told: a line for each cause."""
    query = select(Notice).where(Notice.tenant_id == tenant_id, Notice.digest_at <= now)
    causes: dict[tuple[str, str], list[Notice]] = {}
    for notice in session.scalars(query.order_by(Notice.created_at, Notice.alert_id).with_for_update()):
        causes.setdefault((notice.kind, notice.subject), []).append(notice)
    lines = []
    for (_kind, subject), notices in causes.items():
        newest = notices[-1]
        again = sum(notice.told_at is None for notice in notices)
        often = f" {_times(again)} more." if again else ""
        lines.append(_Line(subject, f"{newest.words}{often}{' It is over.' if newest.over_at else ''}"))
        for notice in notices:
            notice.told_at, notice.told_count, notice.digest_at = now, notice.count, None
    return lines


def _times(count: int) -> str:
    return "Once" if count == 1 else f"{count} times"


def _facts(alert: Alert) -> dict[str, Any]:
    return _UNNAMED | alert.facts


def _say(
    session: Session, runtime: Runtime, tenant_id: str, policy: AlertsPolicy, heading: str, lines: Sequence[_Line]
) -> None:
    """One message, to everybody who is to have it."""
    tenant = session.get_one(Tenant, tenant_id)
    link = f"{f'https://{tenant.host}' if tenant.host else runtime.web_origin}/ops"
    if policy.slack:
        posting.put(session, tenant_id, heading, _channel_lines(lines), link, name=policy.slack_connection)
    shown, more = [line.words for line in lines[:_LINES]], max(0, len(lines) - _LINES)
    facts = {"heading": heading, "lines": shown, "more": more, "link": link}
    message = new_id("post")
    for address in _people(session, tenant_id, policy):
        key = f"{TEMPLATE}|{message}|{address}"
        mail.write(session, tenant_id, template=TEMPLATE, to=address, data=facts, key=key, topic=TEMPLATE)


def _channel_lines(lines: Iterable[_Line]) -> list[tuple[str, str]]:
    return [(line.subject, line.words) for line in lines]


def _people(session: Session, tenant_id: str, policy: AlertsPolicy) -> Sequence[str]:
    """Whom the shop named, or its people who do such work."""
    if policy.emails:
        return list(dict.fromkeys(filter(None, policy.emails)))
    query = select(StaffMember.email).where(
        StaffMember.tenant_id == tenant_id,
        StaffMember.status == MemberStatus.ACTIVE,
        StaffMember.role.in_((Role.OPS, Role.ADMIN)),
    )
    return session.scalars(query.order_by(StaffMember.email).limit(_PEOPLE)).all()

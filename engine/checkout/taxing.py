"""Asking a tax engine that is somebody else's house, for a checkout: between transactions, never within one.

Every edge that refreshes a checkout does so by ``with_tax``; the payment card and ``complete`` ask by ``ask`` before
they begin. The answer, or that there was none, is kept with the checkout until its question changes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.checkout import service
from engine.checkout.duty import TAX_OPEN
from engine.checkout.models import CheckoutSession
from engine.checkout.schemas import CheckoutView
from engine.kit import clock
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.payments.alerts import raise_alert, resolve_alert
from engine.runtime import Runtime
from engine.tax.engine import Answer, EngineRefused, EngineSilent, Question
from engine.tax.models import QuoteStatus, TaxQuote
from engine.tax.policy import TaxPolicy

ANSWER_LIFE: Final = timedelta(hours=24)
"""At most; its question changes with the day anyway."""
REFUSED_LIFE: Final = timedelta(seconds=20)
"""How long a checkout that cannot be paid waits before the engine is asked again."""
FALLBACK_LIFE: Final = timedelta(minutes=15)
"""Longer than a payment card is good: what the tables said on it stands until it is pressed."""
ALERT: Final = "tax_engine_unavailable"
log = structlog.get_logger(__name__)


def with_tax(runtime: Runtime, identity: Identity, work: Callable[[Session], CheckoutView]) -> CheckoutView:
    """What ``work`` makes of the running checkout, in one transaction; where the shop's engine has to be asked about
    it, it is asked after that, and the checkout is shown as it is then.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        view = work(session)
    if TAX_OPEN not in view.problems:
        return view
    if not ask(runtime, identity.tenant_id, view.id):
        return view
    with runtime.unit_of_work(identity.tenant_id) as session:
        return service.refresh(session, identity)


def ask(runtime: Runtime, tenant_id: str, session_id: str) -> bool:
    """Ask what the checkout's tax still rests on; ``False`` when there is nothing to ask."""
    with runtime.unit_of_work(tenant_id) as session:
        checkout = session.get_one(CheckoutSession, (tenant_id, session_id))
        question = service.quote_of(session, checkout).asks
    if question is None:
        return False
    ask_about(runtime, tenant_id, session_id, question)
    return True


def ask_about(runtime: Runtime, tenant_id: str, session_id: str, question: Question) -> None:
    """Ask one question and keep what came of it."""
    try:
        answer, problem = _answer(runtime, tenant_id, question), ""
    except (EngineSilent, EngineRefused) as error:
        log.warning("tax engine did not answer", tenant=tenant_id, engine=question.engine, code=error.code)
        answer, problem = None, error.message
    with runtime.unit_of_work(tenant_id) as session:
        _keep(session, tenant_id, session_id, question, answer)
        _tell(session, tenant_id, question, problem)


def _answer(runtime: Runtime, tenant_id: str, question: Question) -> Answer:
    engine = runtime.tax_engines.get(question.engine)
    if engine is None:
        raise EngineRefused("This installation has no such tax engine: its extra is not installed.")
    return engine.calculate(question, merchant=tenant_id, key=new_id("tax_question"))


def _keep(session: Session, tenant_id: str, session_id: str, question: Question, answer: Answer | None) -> None:
    now = clock.now()
    row: dict[str, Any] = {
        "tenant_id": tenant_id,
        "session_id": session_id,
        "engine": question.engine,
        "question_hash": question.digest,
        "status": QuoteStatus.ANSWERED if answer else QuoteStatus.FAILED,
        "answer": answer.told() if answer else {},
        "calculation_id": answer.calculation_id if answer else None,
        "asked_at": now,
        "expires_at": _until(session, tenant_id, answer, now),
    }
    values = insert(TaxQuote).values(row)
    session.execute(values.on_conflict_do_update(index_elements=["tenant_id", "session_id"], set_=row))


def _until(session: Session, tenant_id: str, answer: Answer | None, now: datetime) -> datetime:
    if answer:
        return min(now + ANSWER_LIFE, answer.expires_at or now + ANSWER_LIFE)
    falls_back = policy_of(session, tenant_id, TaxPolicy).on_failure == "fallback"
    return now + (FALLBACK_LIFE if falls_back else REFUSED_LIFE)


def _tell(session: Session, tenant_id: str, question: Question, problem: str) -> None:
    """Staff hear of it once while it lasts."""
    if problem:
        raise_alert(session, tenant_id, ALERT, question.engine, f"Taxes are not worked out: {problem}")
    else:
        resolve_alert(session, tenant_id, ALERT, question.engine)

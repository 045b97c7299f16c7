"""Conversations: who may see one, what comes in, and what it looks like."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.checkout.models import ConsentStatus
from engine.conversations import asking, events, log
from engine.conversations.deciding import Press
from engine.conversations.errors import TooManyWaiting
from engine.conversations.masking import mask_cards
from engine.conversations.models import Audience, Event, Message, Mode, Run, RunStatus, Thread
from engine.conversations.runs import identity_json
from engine.conversations.schemas import (
    InterruptView,
    MessageView,
    OpenCard,
    ResumeEntry,
    RunInput,
    RunView,
    Snapshot,
)
from engine.customers import codes
from engine.customers import service as customers
from engine.kit import ids
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.kit.identity import Actor, Identity
from engine.support import cases

MESSAGE_LIMIT: Final = 8_000
WAITING_LIMIT: Final = 20
SNAPSHOT_LIMIT: Final = 500
_INTERRUPT: Final[TypeAdapter[InterruptView]] = TypeAdapter(InterruptView)


def create_thread(session: Session, identity: Identity) -> Thread:
    """Start a conversation that belongs to ``identity``."""
    thread = Thread(tenant_id=identity.tenant_id, id=ids.new_id("thread"), owner_id=identity.id, last_event=0)
    session.add(thread)
    session.flush()
    return thread


def newest_thread(session: Session, identity: Identity) -> Thread | None:
    """The conversation that this identity began last."""
    query = select(Thread).where(Thread.tenant_id == identity.tenant_id, Thread.owner_id == identity.id)
    return session.scalars(query.order_by(Thread.created_at.desc(), Thread.id.desc()).limit(1)).first()


def thread_for(session: Session, identity: Identity, thread_id: str, *, lock: bool = False) -> Thread:
    """The thread, for its owner and, to read, for the customer it belongs to on other devices and the tenant's staff.
    Raises ``NotFound`` for everybody else.
    """
    key = (identity.tenant_id, thread_id)
    thread = session.get(Thread, key, with_for_update=lock, populate_existing=lock)
    if thread is None or not (identity.is_staff or customers.is_same_person(session, identity, thread.owner_id)):
        raise NotFound("There is no such conversation.")
    return thread


def submit(session: Session, identity: Identity, thread_id: str, given: RunInput, *, channel: str = "chat") -> Run:
    """Queue one turn and return its run; a shopper's words show at once.

    A decision on a card is written here, before any graph runs; the same decision again returns the first one's run.
    Raises ``NotFound``, ``Forbidden`` for staff who do not own the thread, ``InvalidInput`` for a message that is
    empty, too long or holds NUL, ``Conflict`` for a card that was decided otherwise or ran out, ``TooManyWaiting``.
    """
    thread = own_thread(session, identity, thread_id)
    if given.resume:
        earlier = _decide(session, identity, thread, given.resume, channel)
        if earlier is not None:
            return earlier
    run = _queue(session, identity, thread, _without_code(session, identity, _checked(given)))
    if given.message is not None:
        words = events.text(ids.new_id("message"), "user", run.input["message"])
        log.append(session, thread.tenant_id, thread.id, run.id, words)
        if thread.handoff is not None or thread.mode != Mode.AGENT:
            cases.hear(session, thread)
    return run


def own_thread(session: Session, identity: Identity, thread_id: str) -> Thread:
    """The thread, locked, for whoever speaks in it. Raises ``NotFound``, ``Forbidden`` for staff who only read it."""
    thread = thread_for(session, identity, thread_id, lock=True)
    if thread.owner_id != identity.id:
        raise Forbidden("Only the person whose conversation this is may speak for them in it.")
    return thread


def submit_code(session: Session, identity: Identity, thread_id: str, *, shown: str, came: str) -> Run:
    """Queue the turn that says what came of a code that was typed; ``shown`` stands for it in the conversation."""
    thread = own_thread(session, identity, thread_id)
    run = _queue(session, identity, thread, RunInput(message=shown), more={"sign_in": came})
    log.append(session, thread.tenant_id, thread.id, run.id, events.text(ids.new_id("message"), "user", shown))
    return run


def snapshot(session: Session, identity: Identity, thread_id: str) -> Snapshot:
    """The conversation as it stands, for a page that (re)loads. Raises ``NotFound``."""
    thread = thread_for(session, identity, thread_id)
    owner = _owner(identity, thread)
    open_cards = asking.open_cards(session, owner, thread.id)
    return Snapshot(
        id=thread.id,
        mode=thread.mode,
        messages=[_message_view(message) for message in _messages(session, identity, thread)],
        interrupts=[_interrupt(card) for card in open_cards],
        cart=carts.view(session, owner),
        last_event=thread.last_event,
        active_agent=thread.active_agent,
    )


def events_after(
    session: Session, identity: Identity, thread_id: str, after: int, *, limit: int = 500
) -> list[tuple[int, dict[str, object]]]:
    """``(sequence, event)`` beyond ``after``, oldest first, of what this identity may see; staff also see when it was
    (``timestamp``, in milliseconds as AG-UI has it). Raises ``NotFound``.
    """
    thread_for(session, identity, thread_id)
    rows = session.execute(
        select(Event.seq, Event.payload, Event.created_at)
        .where(
            Event.tenant_id == identity.tenant_id,
            Event.thread_id == thread_id,
            Event.seq > after,
            Event.audience.in_(audiences(identity)),
        )
        .order_by(Event.seq)
        .limit(limit)
    )
    if not identity.is_staff:
        return [(seq, payload) for seq, payload, _ in rows]
    return [(seq, payload | {"timestamp": round(at.timestamp() * 1000)}) for seq, payload, at in rows]


def run_view(session: Session, identity: Identity, thread_id: str, run_id: str) -> RunView:
    """How a turn stands. Raises ``NotFound``."""
    thread_for(session, identity, thread_id)
    run = session.get(Run, (identity.tenant_id, run_id))
    if run is None or run.thread_id != thread_id:
        raise NotFound("There is no such run in this conversation.")
    status = RunStatus.RUNNING if run.status == RunStatus.QUEUED else run.status
    usage = run.usage if identity.is_staff else {name: of for name, of in run.usage.items() if name != "models"}
    return RunView(id=run.id, status=status, usage=usage, agent_path=run.agent_path, tool_calls=run.tool_calls)


def _decide(
    session: Session, identity: Identity, thread: Thread, entries: list[ResumeEntry], channel: str
) -> Run | None:
    """Write each decision; the run of an earlier equal request, if this only repeats it. An approval whose run ended
    without using it (it was cut off, or the gateway was away) is carried out again.
    """
    decisions = []
    for entry in entries:
        press = Press(identity, entry.approved, channel, thread.id, entry.choice)
        decisions.append(asking.decide(session, identity, entry.interrupt_id, press))
    news = [event for decision in decisions if decision.first for event in asking.resolved(decision.card)]
    if news:
        log.append(session, thread.tenant_id, thread.id, None, news)
        return None
    earlier = _run_that_decided(session, thread, entries[0].interrupt_id)
    unused = any(decision.card.status == ConsentStatus.APPROVED for decision in decisions)
    return None if unused and earlier is not None and earlier.finished_at else earlier


def _interrupt(card: OpenCard) -> InterruptView:
    told = {"id": card.id, "reason": card.reason, "expires_at": card.expires_at}
    return _INTERRUPT.validate_python(told | card.shown)


def _run_that_decided(session: Session, thread: Thread, consent_id: str) -> Run | None:
    """The newest run that carried, or carries, this decision out."""
    return session.scalars(
        select(Run)
        .where(
            Run.tenant_id == thread.tenant_id,
            Run.thread_id == thread.id,
            Run.input.contains({"resume": [{"interruptId": consent_id}]}),
        )
        .order_by(Run.number.desc())
        .limit(1)
    ).one_or_none()


def _queue(
    session: Session, identity: Identity, thread: Thread, given: RunInput, *, more: dict[str, str] | None = None
) -> Run:
    """The next run of the thread; the caller holds the thread's lock. ``more`` is what no caller may say of a turn."""
    newest, waiting = session.execute(
        select(
            func.coalesce(func.max(Run.number), 0),
            func.count().filter(Run.status == RunStatus.QUEUED),
        ).where(Run.tenant_id == thread.tenant_id, Run.thread_id == thread.id)
    ).one()
    if waiting >= WAITING_LIMIT and not given.resume:
        raise TooManyWaiting
    run = Run(
        tenant_id=thread.tenant_id,
        id=ids.new_id("run"),
        thread_id=thread.id,
        number=newest + 1,
        identity=identity_json(identity),
        input=given.stored() | (more or {}),
        status=RunStatus.QUEUED,
        attempts=0,
        usage={},
        agent_path=[],
        tool_calls=[],
    )
    session.add(run)
    session.flush()
    return run


def _checked(given: RunInput) -> RunInput:
    for text in _texts(given):
        if "\x00" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
            raise InvalidInput("The text holds characters that cannot be kept.", param="message")
        if given.action and mask_cards(text) != text:
            raise InvalidInput("A card number belongs on the card form alone.", param="action.args")
    if given.message is None:
        return given
    if not given.message.strip():
        raise InvalidInput("The message is empty.", param="message")
    if len(given.message) > MESSAGE_LIMIT:
        raise InvalidInput(f"A message may have at most {MESSAGE_LIMIT} characters.", param="message")
    return given.model_copy(update={"message": mask_cards(given.message)})


def _without_code(session: Session, identity: Identity, given: RunInput) -> RunInput:
    """A code from an e-mail belongs on its form: in the conversation nobody keeps it."""
    if given.message is None:
        return given
    return given.model_copy(update={"message": codes.mask_codes(session, identity, given.message)})


def _texts(given: RunInput) -> list[str]:
    arguments = given.action.args.values() if given.action else ()
    return [given.message or "", *(value for value in arguments if isinstance(value, str))]


def _owner(identity: Identity, thread: Thread) -> Identity:
    """The identity whose cart and cards this thread shows; staff see the owner's."""
    if thread.owner_id == identity.id:
        return identity
    return Identity(identity.tenant_id, Actor.SHOPPER, thread.owner_id)


def audiences(identity: Identity) -> list[Audience]:
    """Whose events an identity may see."""
    return [Audience.SHOPPER, Audience.STAFF] if identity.is_staff else [Audience.SHOPPER]


def _messages(session: Session, identity: Identity, thread: Thread) -> list[Message]:
    newest = (
        select(Message)
        .where(
            Message.tenant_id == thread.tenant_id,
            Message.thread_id == thread.id,
            Message.audience.in_(audiences(identity)),
        )
        .order_by(Message.seq.desc())
        .limit(SNAPSHOT_LIMIT)
    )
    return list(reversed(session.scalars(newest).all()))


def _message_view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        role=message.role,
        content=message.content,
        name=message.name,
        activity_type=message.activity_type,
        data=message.data,
    )

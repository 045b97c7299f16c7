"""A saved conversation as a scenario of a suite, and the cassette of its model; people in them are stand-ins."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.conversations.models import Event, Mode, Run, Thread
from engine.customers.models import Address, Customer
from engine.inventory.models import Location
from engine.kit import ids
from engine.orders.models import Order, OrderLine, Shipment, ShipmentStatus
from evals.cassette import TOKEN, Answer, Cassette, RecordedCall
from evals.stand_ins import Mask
from evals.suite import SuiteInvalid, WorldSpec, parse_suite
from evals.world import GUEST, STAFF, read_shop
from icommerce_agents import models

_NAMED: Final = re.compile(r"[\w-]+")
_GIVEN: Final = re.compile(r"\{id:\d+\}")
_LONG_WAIT_MINUTES: Final = 60
_SHORTEST_WORDS: Final = 12


@dataclass(slots=True)
class Log:
    """A conversation as the database has it."""

    thread: Thread
    runs: Sequence[Run]
    events: Sequence[Event]
    orders: Sequence[Order]

    def of(self, run: Run) -> list[dict[str, Any]]:
        return [event.payload for event in self.events if event.run_id == run.id]


@dataclass(slots=True)
class Names:
    """What ids and numbers are called in the files."""

    mask: Mask
    known: dict[str, str] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    skus: set[str] = field(default_factory=set)

    def gave(self, result: str) -> list[int]:
        """The ids of a result by their numbers; those that are new get the next."""
        return [self.given.setdefault(token, len(self.given) + 1) for token in TOKEN.findall(result)]

    def text(self, text: str) -> str:
        return TOKEN.sub(lambda found: self._name(found.group()), self.mask.text(text))

    def value(self, value: Any) -> Any:
        return self._each(self.mask.value(value))

    def _each(self, value: Any) -> Any:
        if isinstance(value, str):
            return TOKEN.sub(lambda found: self._name(found.group()), value)
        if isinstance(value, dict):
            return {key: self._each(one) for key, one in value.items()}
        return [self._each(one) for one in value] if isinstance(value, list) else value

    def _name(self, token: str) -> str:
        if token in self.known:
            return self.known[token]
        if token in self.given:
            return f"{{id:{self.given[token]}}}"
        return f"{token.partition('_')[0]}_{'0' * 26}" if ids.is_id(token) else token


@dataclass(frozen=True, slots=True)
class Exported:
    scenario: dict[str, Any]
    cassette: Cassette


def export(session: Session, tenant_id: str, thread_id: str, *, name: str, shop: str) -> Exported:
    """Raises ``SuiteInvalid`` for a conversation that a suite cannot tell."""
    log = _read(session, tenant_id, thread_id)
    speaker = _speaker(log, shop)
    names = _names(session, log, speaker)
    orders = _orders(session, log, names, speaker)
    answers: list[Answer] = []
    turns: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    for place, run in enumerate(log.runs):
        payloads = log.of(run)
        heard = _answers(payloads, names)
        turns += _between(log.runs[place - 1], run) if place else []
        turns += _turns(run, reasons, names, heard)
        answers += heard
        reasons |= _cards(payloads)
    scenario: dict[str, Any] = {"name": name, "about": "Exported from a conversation.", "tags": ["exported"]}
    scenario |= {"speaker": speaker, "world": {"shop": shop, "orders": orders}, "turns": turns}
    if cart := _cart(log):
        scenario["expect"] = {"state": {"carts": {speaker: cart}}}
    _fits(names.skus | cart.keys(), shop)
    return Exported(scenario | {"cassette": f"cassettes/{name}.yaml"}, Cassette(thread=name, answers=answers))


def write(exported: Exported, file: Path) -> Path:
    """Add it to the suite ``file`` (a new one where there is none) and its cassette beside it. Returns that path.

    Raises ``SuiteInvalid`` where the suite would be wrong with it or its cassette is there; nothing is written then.
    """
    lines = yaml.safe_dump([exported.scenario], sort_keys=False, allow_unicode=True, width=110)
    item = "".join(f"  {line}" for line in lines.splitlines(keepends=True))
    before = (
        file.read_text(encoding="utf-8") if file.exists() else f"suite: {json.dumps(file.stem)}\nbar: 1.0\nscenarios:\n"
    )
    text = f"{before.rstrip()}\n{item}"
    parse_suite(text, file)
    tape: Path = file.parent / exported.scenario["cassette"]
    if tape.exists():
        raise SuiteInvalid(f"{tape} is there already: give this one another name (--name).")
    tape.parent.mkdir(parents=True, exist_ok=True)
    held = exported.cassette.model_dump(exclude_defaults=True)
    tape.write_text(yaml.safe_dump(held, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    return tape


def _read(session: Session, tenant_id: str, thread_id: str) -> Log:
    thread = session.get(Thread, (tenant_id, thread_id))
    if thread is None:
        raise SuiteInvalid("There is no such conversation in this shop.")
    if thread.mode != Mode.AGENT or thread.handoff:
        raise SuiteInvalid("People of the shop took part in this conversation: a cassette has no words of theirs.")
    here = (Run.tenant_id == tenant_id, Run.thread_id == thread_id)
    runs = session.scalars(select(Run).where(*here).order_by(Run.number)).all()
    if not runs:
        raise SuiteInvalid("Nothing was said in this conversation.")
    if broken := [run.number for run in runs if run.finished_at is None or run.error]:
        raise SuiteInvalid(f"Not every turn came to a good end: {', '.join(map(str, broken))}.")
    events = select(Event).where(Event.tenant_id == tenant_id, Event.thread_id == thread_id).order_by(Event.seq)
    customers = {run.identity.get("customer_id") for run in runs} - {None}
    theirs = or_(Order.owner_id == thread.owner_id, Order.customer_id.in_(customers))
    orders = session.scalars(select(Order).where(Order.tenant_id == tenant_id, theirs).order_by(Order.id)).all()
    return Log(thread, runs, session.scalars(events).all(), orders)


def _speaker(log: Log, shop: str) -> str:
    """The person of the world who says it: one of its customers for a customer."""
    first = log.runs[0].identity
    if set(first.get("scopes") or ()) & {"staff", "ops", "admin"}:
        return STAFF
    return _customer(shop) if first.get("customer_id") else GUEST


def _customer(shop: str) -> str:
    customers = read_shop(WorldSpec(shop=shop)).customers
    if not customers:
        raise SuiteInvalid(f"The shop {shop!r} has no customer who could say it.")
    return customers[0].email.partition("@")[0]


def _names(session: Session, log: Log, speaker: str) -> Names:
    tenant_id, mask = log.thread.tenant_id, Mask()
    customers = {run.identity.get("customer_id") for run in log.runs} - {None}
    for row in session.scalars(
        select(Address).where(Address.tenant_id == tenant_id, Address.customer_id.in_(customers))
    ):
        mask.learn({name: getattr(row, name) for name in ("name", "line_one", "line_two", "city", "postal_code")})
    for order in log.orders:
        mask.learn([order.buyer, order.ship_to])
    for event in log.events:
        mask.learn(_personal(event.payload))
    for run in log.runs:
        mask.hear(run.input.get("message") or "")
    for one in session.scalars(select(Customer).where(Customer.tenant_id == tenant_id, Customer.id.in_(customers))):
        mask.learn({"name": one.name, "phone": one.phone, "email": one.email})
        mask.call(one.email, f"{{email:{speaker}}}")
    names = Names(mask)
    found = ids.ids_in(json.dumps([[event.payload for event in log.events], [run.input for run in log.runs]]))
    for kind, column, key in (
        ("item", Variant.sku, Variant),
        ("product", Product.slug, Product),
        ("place", Location.code, Location),
    ):
        query = select(key.id, column).where(key.tenant_id == tenant_id, key.id.in_(found))
        for each, called in session.execute(query):
            if _NAMED.fullmatch(called):
                names.known[each] = f"{{{kind}:{called}}}"
            if kind == "item":
                names.skus.add(called)
    return names


def _personal(payload: dict[str, Any]) -> Any:
    """What a tool was told and answered, and what a card showed."""
    text = {"TOOL_CALL_ARGS": "delta", "TOOL_CALL_RESULT": "content"}.get(payload["type"])
    if text is None:
        return payload.get("content") if payload["type"] == "ACTIVITY_SNAPSHOT" else None
    try:
        return json.loads(payload[text])
    except ValueError:
        return None


def _orders(session: Session, log: Log, names: Names, speaker: str) -> dict[str, Any]:
    """Those that were there before, as the world is to have them."""
    before = [one for one in log.orders if one.placed_at and one.placed_at < log.thread.created_at]
    specs: dict[str, Any] = {}
    for place, order in enumerate(before, start=1):
        called, of = f"order{place}", (order.tenant_id, order.id)
        lines = session.scalars(
            select(OrderLine).where(OrderLine.tenant_id == of[0], OrderLine.order_id == of[1])
        ).all()
        shipped = select(Shipment.status).where(Shipment.tenant_id == of[0], Shipment.order_id == of[1])
        names.known |= {order.id: f"{{order_id:{called}}}", order.number: f"{{order:{called}}}"}
        names.known |= {line.id: f"{{line:{called}:{line.sku}}}" for line in lines}
        names.skus |= {line.sku for line in lines}
        assert order.placed_at is not None
        specs[called] = {
            "of": GUEST if speaker == STAFF else speaker,
            "lines": {line.sku: line.ordered for line in lines},
            "state": _state(list(session.scalars(shipped))),
            "days_ago": (log.thread.created_at - order.placed_at).days,
        }
    return specs


def _state(shipments: Sequence[ShipmentStatus]) -> str:
    if not shipments:
        return "paid"
    return "delivered" if all(one == ShipmentStatus.DELIVERED for one in shipments) else "shipped"


def _answers(payloads: Sequence[dict[str, Any]], names: Names) -> list[Answer]:
    """A run's log as the answers that made it. Calls of one answer are told apart by their results."""
    tape = _Tape(names)
    for payload in payloads:
        tape.hear(payload)
    return tape.finish()


class _Tape:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._answers: list[dict[str, Any]] = []
        self._agent: str | None = None
        self._open = False
        """Whether what comes belongs to the newest answer: nothing was handed back since."""
        self._calls: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, dict[str, Any]] = {}

    def hear(self, payload: dict[str, Any]) -> None:
        match payload["type"]:
            case "CUSTOM":
                self._note(payload["name"], payload["value"])
            case "TEXT_MESSAGE_START" if payload["role"] == "assistant" and payload.get("name") and self._agent:
                self._texts[payload["messageId"]] = self._begin()
            case "TEXT_MESSAGE_CONTENT" if payload["messageId"] in self._texts:
                self._texts[payload["messageId"]]["say"] += payload["delta"]
            case "TOOL_CALL_START" if self._agent:
                call = {"tool": payload["toolCallName"], "args": "", "gave": []}
                (self._answers[-1] if self._open else self._begin())["calls"].append(call)
                self._calls[payload["toolCallId"]] = call
            case "TOOL_CALL_ARGS" if payload["toolCallId"] in self._calls:
                self._calls[payload["toolCallId"]]["args"] += payload["delta"]
            case "TOOL_CALL_RESULT" if payload["toolCallId"] in self._calls:
                self._calls[payload["toolCallId"]]["result"] = payload["content"]
                self._open = False

    def finish(self) -> list[Answer]:
        self._leave()
        return [self._made(one) for one in self._answers]

    def _note(self, name: str, value: Any) -> None:
        if name == "route":
            self._answers.append({"part": models.SUPERVISOR, "route": value, "say": "", "calls": []})
        elif name == "agent":
            self._leave()
            self._agent = value["agent"]
        elif name == "transfer":
            call = {"tool": f"transfer_to_{value['to']}", "args": json.dumps({"reason": value["reason"]}), "gave": []}
            (self._answers[-1] if self._open else self._begin())["calls"].append(call)
            self._agent, self._open = None, False

    def _begin(self) -> dict[str, Any]:
        self._answers.append({"part": self._agent, "say": "", "calls": []})
        self._open = True
        return self._answers[-1]

    def _leave(self) -> None:
        """An agent that is done said so after its last result, if only with nothing."""
        if self._agent and not self._open:
            self._begin()
        self._agent, self._open = None, False

    def _made(self, answer: dict[str, Any]) -> Answer:
        say = self._names.text(answer["say"])
        route = self._names.value(answer.get("route"))
        return Answer(part=answer["part"], route=route, say=say, calls=[self._call(one) for one in answer["calls"]])

    def _call(self, call: dict[str, Any]) -> RecordedCall:
        try:
            args = self._names.value(json.loads(call["args"] or "{}"))
        except ValueError:
            args = self._names.text(call["args"])
        args = args if isinstance(args, dict) else json.dumps(args)
        return RecordedCall(tool=call["tool"], args=args, gave=self._names.gave(call.get("result", "")))


def _between(before: Run, run: Run) -> list[dict[str, Any]]:
    """A long time that passed."""
    minutes = int((run.created_at - before.created_at).total_seconds() // 60)
    return [{"wait": {"minutes": minutes}}] if minutes >= _LONG_WAIT_MINUTES else []


def _turns(run: Run, reasons: dict[str, str], names: Names, heard: Sequence[Answer]) -> list[dict[str, Any]]:
    """What was done, with what is expected of it."""
    done = _done(run, reasons, names)
    if _GIVEN.search(json.dumps(done)) or ids.ids_in(json.dumps(done)):
        raise SuiteInvalid(
            f"Turn {run.number} names something that was made in the conversation: a suite has no word for it."
        )
    calls = [_wanted(call) for answer in heard for call in answer.calls if not call.tool.startswith("transfer_to_")]
    words = [piece for answer in heard if (piece := _piece(answer.say))]
    expect: dict[str, Any] = {"calls": {"required": calls}} if calls else {}
    expect |= {"words": {"must": words}} if words else {}
    done[-1] |= {"expect": expect} if expect else {}
    return done


def _done(run: Run, reasons: dict[str, str], names: Names) -> list[dict[str, Any]]:
    given = run.input
    if given.get("message") is not None:
        return [{"say": names.text(given["message"])}]
    if given.get("action"):
        return [{"action": {"name": given["action"]["name"], "args": names.value(given["action"].get("args") or {})}}]
    return [_press(run, entry, reasons) for entry in given.get("resume") or ()]


def _press(run: Run, entry: dict[str, Any], reasons: dict[str, str]) -> dict[str, Any]:
    payload = entry.get("payload") or {}
    if payload.get("choice"):
        raise SuiteInvalid(f"Turn {run.number} chooses on a card: a suite has no word for it.")
    yes = entry["status"] == "resolved" and payload.get("approved")
    press: dict[str, Any] = {"answer": "yes" if yes else "no"}
    return {"press": press | ({"card": reasons[entry["interruptId"]]} if entry["interruptId"] in reasons else {})}


def _wanted(call: RecordedCall) -> dict[str, Any]:
    """The call as a suite expects it: arguments that hold what only the cassette can name are left out."""
    args = call.args if isinstance(call.args, dict) else {}
    said = {key: value for key, value in args.items() if not _GIVEN.search(json.dumps(value))}
    return {"tool": call.tool} | ({"args": said} if said else {})


def _piece(said: str) -> str:
    """The longest part of these words that any replay must say."""
    longest = max((part.strip() for line in said.splitlines() for part in _GIVEN.split(line)), key=len, default="")
    return longest.lstrip("~") if len(longest) >= _SHORTEST_WORDS else ""


def _cards(payloads: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Open cards at a run's end, and their reasons."""
    ends = [one["outcome"] for one in payloads if one["type"] == "RUN_FINISHED"]
    return {card["id"]: card["reason"] for end in ends for card in end.get("interrupts") or ()}


def _cart(log: Log) -> dict[str, int]:
    """SKU → units, as the newest state of the cart in the log has it."""
    carts = [one.payload["snapshot"].get("cart") for one in log.events if one.payload["type"] == "STATE_SNAPSHOT"]
    newest = carts[-1] if carts else None
    return {line["sku"]: line["quantity"] for line in (newest or {}).get("lines") or ()}


def _fits(skus: set[str], shop: str) -> None:
    """Raises ``SuiteInvalid`` when the conversation is about goods that the world does not have."""
    sold = {variant.sku for product in read_shop(WorldSpec(shop=shop)).products for variant in product.variants}
    if missing := sorted(skus - sold):
        raise SuiteInvalid(
            f"The shop {shop!r} of evals/worlds has no {', '.join(missing)}: name one that has (--world)."
        )

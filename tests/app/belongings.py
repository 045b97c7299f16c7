"""One of everything of a shop that has an id, by the path parameter that names it."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import platforms
from engine.agentic.webhook_models import WebhookEvent, WebhookType
from engine.approvals import asking
from engine.approvals.models import ApprovalKind
from engine.carts import promoting
from engine.carts.promoting import Promotion
from engine.catalog import price_list, service
from engine.catalog.price_list import Wanted
from engine.customers import merging
from engine.customers.models import Address, Customer, CustomerLink, PaymentMethod
from engine.digital.access import access_key
from engine.digital.models import DigitalDelivery
from engine.finance.models import JournalEntry
from engine.fulfillment import release, shipments
from engine.imports import service as imports
from engine.inventory import counting, inbound
from engine.kit import clock
from engine.kit.identity import Actor, Identity, Role, Scope
from engine.kit.ids import new_id
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.mail import service as mail
from engine.orders.changes import wanted
from engine.orders.changes.propose import propose
from engine.orders.documents import invoices
from engine.orders.models import Order, OrderLine
from engine.orders.seller import SellerPolicy
from engine.payments.alerts import raise_alert
from engine.payments.gateway import DisputeStatus
from engine.payments.models import Alert, Dispute, Payment
from engine.returns.models import Return
from engine.shipping import service as shipping
from engine.staff import members
from engine.support import cases, macros
from engine.sync import connections, exceptions, inbox
from engine.sync.errors import Rejected
from engine.sync.models import Call, Connection, System
from engine.sync.work_models import Mapping
from engine.tax import desk as tax
from engine.tax.models import FilingKind, TaxFiling
from engine.warranties import claiming, registering
from engine.workflows.models import RunRow, RunStatus
from tests.engine.orders.desk import Desk, buy
from tests.engine.returns.coming import deliver
from tests.shop import Shop

ADDRESS: Final = {"name": "X", "line_one": "1 Road", "city": "Portland", "state": "WA", "postal_code": "97204"}
PERSONAL: Final = {
    "customer": "customer", "address": "address", "method": "payment_method", "link": "customer_link",
}  # fmt: skip


def belongings(shop: Shop) -> dict[str, str]:
    """Path parameter → an id of this shop's."""
    tenant_id, desk = shop.tenant.id, buy(shop, "THEIRS", 2)
    change = propose(shop.runtime, desk.buyer, desk.order_id, wanted.read({"kind": "cancel", "reason": "other"}))
    (fulfillment_id,) = release.release_now(shop.runtime, tenant_id, desk.order_id)
    parcel = shipments.ship_now(shop.runtime, tenant_id, fulfillment_id)
    ids = {
        "order_id": desk.order_id,
        "change_id": change.id,
        "fulfillment_id": fulfillment_id,
        "shipment_id": parcel,
    }
    with shop.uow() as session:
        ids["import_id"] = imports.receive(session, desk.staff, BytesIO(b"slug\nx\n"), "csv").id
    with shop.uow() as session:
        person = add_people(session, desk)
        ids |= person | money(session, desk) | goods(session, shop) | desk_work(session, shop, desk)
        ids |= sent_back(session, shop, desk, change.id) | given_out(session, shop, desk, parcel)
        ids |= connected(session, shop)
        ids |= told(session, desk) | prices(session, desk) | taxes(session, desk, person["customer_id"])
    return ids | claimed(shop)


def add_people(session: Session, desk: Desk) -> dict[str, str]:
    """A known customer, with whom another was merged."""
    tenant_id = desk.shop.tenant.id
    person, other = add_person(session, tenant_id), add_person(session, tenant_id)
    merging.merge(session, desk.staff, source_id=other["customer_id"], target_id=person["customer_id"])
    return person


def money(session: Session, desk: Desk) -> dict[str, str]:
    """The order's payment, a dispute about it, an alert, its journal entry and invoice."""
    tenant_id = desk.shop.tenant.id
    payment = session.scalars(select(Payment).where(Payment.tenant_id == tenant_id)).one()
    dispute = Dispute(
        tenant_id=tenant_id, id=new_id("dispute"), payment_id=payment.id, order_id=desk.order_id, gateway="sandbox",
        gateway_dispute_id="dp_1", amount=1, fee=0, currency="USD", reason="fraudulent",
        status=DisputeStatus.NEEDS_RESPONSE, opened_at=clock.now(),
    )  # fmt: skip
    session.add(dispute)
    raise_alert(session, tenant_id, "refund_unknown", "THEIRS", "Something of THEIRS.")
    seller = {"legal_name": "THEIRS Ltd", "address": ("1 Road",)}
    change_policy(session.get_one(Tenant, tenant_id), SellerPolicy, seller)
    issued = invoices.issue(session, session.get_one(Order, (tenant_id, desk.order_id)), actor="test")
    return {
        "payment_id": payment.id,
        "dispute_id": dispute.id,
        "alert_id": session.scalars(select(Alert.id).where(Alert.tenant_id == tenant_id)).one(),
        "entry_id": session.scalars(select(JournalEntry.id).where(JournalEntry.tenant_id == tenant_id)).first() or "",
        "document_id": issued.id,
    }


def goods(session: Session, shop: Shop) -> dict[str, str]:
    """What is sold, what is on its way and what is counted."""
    tenant_id, item, place = shop.tenant.id, shop.variants["THEIRS"], shop.locations["EAST"]
    lines = [inbound.Coming(item, 1)]
    coming = inbound.expect_purchase(session, tenant_id, actor="test", location_id=place, lines=lines)
    count = counting.open_count(session, tenant_id, actor="test", location_id=place, variant_ids=[item])
    product_id = service.product(session, tenant_id, item).id
    return {"product_id": product_id, "variant_id": item, "inbound_id": coming.id, "count_id": count.id}


def desk_work(session: Session, shop: Shop, desk: Desk) -> dict[str, str]:
    """A case, a macro, somebody who works there, an approval that waits and a letter."""
    tenant_id = shop.tenant.id
    someone = Identity(tenant_id, Actor.API_KEY, "key_test", scopes=frozenset({Scope.STAFF}))
    given = {"order_id": desk.order_id, "amount": 1, "reason": "THEIRS"}
    code = {"code": "THEIRS", "minutes": 1}
    letter = mail.write(session, tenant_id, template="email_code", to="a@example.com", data=code, key="THEIRS")
    assert letter is not None
    invited = members.invite(session, shop.runtime, tenant_id, email="a@example.com", role=Role.SUPPORT, actor="test")
    return {
        "case_id": cases.open_by_hand(session, someone, subject="Something of THEIRS").id,
        "macro_id": macros.create(session, someone, name="THEIRS", body="Hello from THEIRS").id,
        "member_id": invited.member.id,
        "approval_id": asking.ask(session, someone, ApprovalKind.GOODWILL, given, reason="THEIRS").id,
        "mail_id": letter,
    }


def sent_back(session: Session, shop: Shop, desk: Desk, change_id: str) -> dict[str, str]:
    """A return with a label."""
    back = Return(
        tenant_id=shop.tenant.id, id=new_id("return"), number="THEIRS-R1", order_id=desk.order_id, change_id=change_id,
        kind="return", status="label_ready", requested_by="test", refund_to="original", refund_at="received",
        credit=1, credit_tax=0, refund=1, location_id=shop.locations["EAST"], expires_at=clock.now(),
    )  # fmt: skip
    session.add(back)
    session.flush()
    return {"return_id": back.id}


def given_out(session: Session, shop: Shop, desk: Desk, parcel: str) -> dict[str, str]:
    """Something without a parcel, and the key that opens it."""
    tenant_id = shop.tenant.id
    sold = session.scalars(select(OrderLine).where(OrderLine.order_id == desk.order_id)).first()
    assert sold is not None
    row = DigitalDelivery(
        tenant_id=tenant_id, id=new_id("digital_delivery"), order_id=desk.order_id, order_line_id=sold.id,
        shipment_id=parcel, variant_id=shop.variants["THEIRS"], quantity=1,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return {"delivery_id": row.id, "access_key": access_key(shop.runtime.secret_key, tenant_id, row.id)}


def told(session: Session, desk: Desk) -> dict[str, str]:
    """What a platform was told of the order."""
    tenant_id = desk.shop.tenant.id
    platform = platforms.named(session, tenant_id, "THEIRS Co", actor="test")
    row = WebhookEvent(
        tenant_id=tenant_id, id=new_id("webhook_event"), platform_id=platform.id, order_id=desk.order_id,
        type=WebhookType.ORDER_UPDATE, topics=["THEIRS"],
    )  # fmt: skip
    session.add(row)
    session.flush()
    return {"event_id": row.id}


def connected(session: Session, shop: Shop) -> dict[str, str]:
    """An account at another system, and a mapping."""
    tenant_id = shop.tenant.id
    account = connections.connect(
        session, shop.runtime, tenant_id, actor="test", system=System.DCL, name="THEIRS",
        base_url="https://theirs.example", settings={}, secrets_given={"password": "THEIRS-password"},
    )  # fmt: skip
    row = Mapping(
        tenant_id=tenant_id, id=new_id("mapping"), name=f"theirs-{tenant_id[-12:]}", version=1, target="THEIRS",
        spec={}, created_by="test",
    )  # fmt: skip
    session.add(row)
    session.flush()
    return {"connection_id": account.id, "mapping": row.name} | worked(session, account)


def worked(session: Session, account: Connection) -> dict[str, str]:
    """A run that stopped, what it asked, what told of it, and its place in the queue."""
    tenant_id, error = account.tenant_id, Rejected("THEIRS is unknown.")
    run = RunRow(
        tenant_id=tenant_id, id=f"{tenant_id}:shopifyToNetsuite:THEIRS", workflow="shopifyToNetsuite", version="1.0.0",
        status=RunStatus.FAILED, subject_kind="order", subject_ref="THEIRS", payload={}, trigger="poll",
        error_code=error.code, ended_at=clock.now(),
    )  # fmt: skip
    call = Call(
        tenant_id=tenant_id, id=777_000_000_000_001, connection_id=account.id, method="GET", path="/THEIRS",
        reads=True, took_ms=1, fingerprint="0", workflow_id=run.id,
    )  # fmt: skip
    session.add_all([run, call])
    stopped = exceptions.put(
        session, tenant_id, workflow=run.workflow, workflow_id=run.id, subject="order THEIRS", error=error, payload={}
    )
    told, _ = inbox.receive(
        session, tenant_id=tenant_id, source="shopify", delivery_id="THEIRS", topic="x", body=b"THEIRS", headers={}
    )
    ids = {"exception_id": stopped.id, "fingerprint": stopped.fingerprint, "delivery_id": told.id}
    return ids | {"call_id": str(call.id), "run_of_sync": run.id}


def prices(session: Session, desk: Desk) -> dict[str, str]:
    """A promotion, a price in a list, a zone."""
    return {
        "discount_id": promoting.create(session, desk.staff, Promotion(title="THEIRS", percent_off=1)).id,
        "price_id": price_list.set_prices(session, desk.staff, [Wanted("THEIRS", 9, "EUR")])[0].id or "",
        "zone_id": shipping.zones(session, desk.shop.tenant.id)[0].id,
    }


def taxes(session: Session, desk: Desk, customer_id: str) -> dict[str, str]:
    """A rate, a sale to be told of, an exemption."""
    tenant_id = desk.shop.tenant.id
    certificate: dict[str, Any] = {"kind": "resale", "country": "US", "valid_from": date(2026, 1, 1)}
    certificate |= {"customer_id": customer_id, "certificate": "THEIRS"}
    return {
        "tax_rate_id": tax.rates(session, tenant_id).items[0].id,
        "tax_filing_id": filed(session, tenant_id, desk.order_id),
        "tax_exemption_id": tax.add_exemption(session, desk.staff, certificate).id,
    }


def filed(session: Session, tenant_id: str, order_id: str) -> str:
    """A sale that a tax engine is to be told of."""
    row = TaxFiling(
        tenant_id=tenant_id, id=new_id("tax_filing"), order_id=order_id, kind=FilingKind.SALE, subject_id=order_id,
        amount=1,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def claimed(shop: Shop) -> dict[str, str]:
    """A unit that arrived, its warranty, and a claim with a picture."""
    desk = buy(shop, "THEIRS")
    deliver(desk)
    with shop.uow() as session:
        (unit,) = registering.register(session, shop.tenant.id, desk.order_id)
        claim = claiming.submit(session, desk.buyer, unit.id, symptom="other", description="THEIRS broke")
        piece = claiming.add_evidence(session, desk.buyer, claim.id, name="THEIRS.pdf", content=b"%PDF-THEIRS")
        return {"warranty_id": unit.id, "claim_id": claim.id, "evidence_id": piece.id}


def add_person(session: Session, tenant_id: str) -> dict[str, str]:
    """A known customer with an address, a card and an order that says it is theirs."""
    ids = {f"{kind}_id": new_id(name) for kind, name in PERSONAL.items()}
    key = {"tenant_id": tenant_id, "customer_id": ids["customer_id"]}
    email = f"{ids['customer_id']}@theirs.example"
    session.add(Customer(tenant_id=tenant_id, id=ids["customer_id"], email=email, name="THEIRS"))
    session.flush()
    session.add(Address(id=ids["address_id"], **key, **ADDRESS, country="US"))
    session.add(
        PaymentMethod(
            id=ids["method_id"],
            gateway="sandbox",
            gateway_ref="card_test_visa",
            brand="visa",
            last4="4242",
            exp_month=1,
            exp_year=2040,
            **key,
        )
    )
    session.add(CustomerLink(id=ids["link_id"], email=email, source="acp", subject_id=ids["link_id"], **key))
    session.flush()
    return ids

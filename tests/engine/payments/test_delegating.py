"""Cards that agent platforms bring to the sandbox gateway: what is taken, what is refused, what is kept of it."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from engine.db import Addresses
from engine.kit import clock
from engine.kit.errors import NotFound, RateLimited
from engine.kit.idempotency import IdempotencyConflict
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments.delegated import (
    Answer,
    AuthenticationFacts,
    AuthenticationRequest,
    AuthenticationStatus,
    CardTaker,
    DelegatedCard,
    NumberType,
    Refusal,
    Request,
    Signal,
    card_taker,
)
from engine.payments.errors import DelegationUnsupported
from engine.payments.gateway import Allowance, CaptureRequest, Charge, ChargeStatus, MethodKind
from engine.payments.gateways.sandbox.cards import TEST_CARDS
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime

pytestmark = pytest.mark.usefixtures("still_clock")
VISA = "4242424242424242"
CHALLENGED = "4000000000003220"
CRYPTOGRAM = "AQIDBAUGBwgJCgsMDQ4PEBESExQ="
CARD = DelegatedCard(VISA, exp_month="11", exp_year="2030", cvc="223")


class Vault:
    """One merchant, one session, one agent platform at the gateway."""

    def __init__(self, gateway: SandboxGateway, url: str) -> None:
        self.gateway = gateway
        self.url = url
        self.merchant, self.session_id = new_id("tenant"), new_id("checkout")
        self.failing = 100

    def request(self, key: str | None = None, body: Any = "body", operation: str = "delegate") -> Request:
        return Request(self.merchant, "agp_one", operation, key or new_id("consent"), json.dumps(body).encode())

    def allowance(self, amount: int = 5000, **fields: Any) -> Allowance:
        known = {
            "merchant": self.merchant,
            "session_id": self.session_id,
            "maximum": Money(amount, "USD"),
            "expires_at": clock.now() + timedelta(minutes=10),
        }
        return Allowance(**(known | fields))

    def delegate(
        self,
        card: DelegatedCard = CARD,
        *,
        request: Request | None = None,
        allowance: Allowance | None = None,
        signals: tuple[Signal, ...] = (),
    ) -> Answer:
        return self.gateway.delegate_card(
            request or self.request(), card, allowance or self.allowance(), signals, failing=self.failing
        )

    def token(self, card: DelegatedCard = CARD, **fields: Any) -> str:
        made = self.delegate(card, **fields).made_id
        assert made is not None
        return made

    def refused(self, card: DelegatedCard = CARD, **fields: Any) -> str:
        answer = self.delegate(card, **fields)
        assert answer.made_id is None
        assert answer.refusal is not None
        return answer.refusal.param

    def inspect(self, token: str) -> Any:
        return self.gateway.inspect(token, merchant=self.merchant, session_id=self.session_id)

    def capture(self, token: str, amount: int = 5000, **fields: Any) -> Charge:
        known = {"payment_id": new_id("payment"), "merchant": self.merchant, "session_id": self.session_id}
        known |= {"token": token, "amount": Money(amount, "USD")}
        return self.gateway.capture(CaptureRequest(**(known | fields)))

    def authenticate(
        self, number: str = CHALLENGED, *, amount: int = 5000, session_id: str | None = None, **fields: Any
    ) -> AuthenticationFacts:
        """Through to the end: a fingerprint, and the question if there is one."""
        given = AuthenticationRequest(number, "11", "2030", Money(amount, "USD"), session_id, browser=True, **fields)
        made = self.gateway.authenticate_card(self.request(operation="auth"), given, failing=self.failing).made_id
        assert made is not None
        return self.gateway.go_on(made, merchant=self.merchant, session_id=None)

    def passed(self, facts: AuthenticationFacts) -> AuthenticationFacts:
        assert facts.action is not None
        self.gateway.pass_challenge(facts.action["challenge"]["acs_trans_id"])
        return self.gateway.authentication(facts.id, merchant=self.merchant)

    def proves(self, result: Any, *, amount: int = 5000, session_id: str | None = None, currency: str = "USD") -> bool:
        return self.gateway.check_authentication(
            session_id=session_id or self.session_id,
            merchant=self.merchant,
            amount=Money(amount, currency),
            result=result,
        )

    def rows(self) -> str:
        """All that the gateway's schema holds, as text; bytes as their hexadecimal digits and as what they spell."""
        told = []
        with psycopg.connect(self.url) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'sandbox'").fetchall()
            for (table,) in tables:
                told += connection.execute(f"SELECT * FROM sandbox.{table}").fetchall()  # noqa: S608 (our own tables)
        return repr(told)


@pytest.fixture
def vault(runtime: Runtime, addresses: Addresses) -> Vault:
    gateway = runtime.gateways["sandbox"]
    assert isinstance(gateway, SandboxGateway)
    return Vault(gateway, addresses.sandbox)


def test_a_card_becomes_a_token_that_pays_once_within_its_allowance(vault: Vault) -> None:
    token = vault.token()
    assert token.removeprefix("vt_").isalnum()
    facts = vault.inspect(token)
    assert (facts.usable, facts.kind, facts.brand, facts.last4) == (True, MethodKind.CARD, "visa", "4242")
    assert (facts.label, facts.maximum, facts.review) == ("Visa •••• 4242", Money(5000, "USD"), False)
    assert facts.expires_at == clock.now() + timedelta(minutes=10)
    for wrong in ({"session_id": "cs_x"}, {"merchant": "tnt_x"}, {"amount": 5001}):
        assert vault.capture(token, **wrong).decline_code == "token_invalid"
    assert vault.capture(token, amount=4999).status == ChargeStatus.CAPTURED
    assert vault.capture(token).decline_code == "token_invalid"
    assert not vault.inspect(token).usable


@pytest.mark.parametrize("card", TEST_CARDS, ids=lambda card: card.ref)
def test_every_test_card_behaves_as_it_does_when_it_was_typed(vault: Vault, card: Any) -> None:
    facts = vault.inspect(vault.token(replace(CARD, number=card.number)))
    assert (facts.brand, facts.last4) == (card.brand, card.last4)
    assert bool(facts.challenge_url) == (card.ref == "card_test_3ds")


def test_a_networks_number_is_shown_by_the_digits_its_holder_knows(vault: Vault) -> None:
    card = DelegatedCard(
        "4895370012003478",
        NumberType.NETWORK_TOKEN,
        "11",
        "2030",
        cryptogram=CRYPTOGRAM,
        last4="4242",
        wallet="apple_pay",
    )
    facts = vault.inspect(vault.token(card))
    assert (facts.kind, facts.last4, facts.label) == (MethodKind.WALLET, "4242", "Apple Pay · Visa ending 4242")
    unproven = replace(card, number="4895370013596306", wallet="")
    assert vault.capture(vault.token(unproven)).decline_code == "cryptogram_invalid"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"number": "4242424242424241"}, "number"),
        ({"number": "4242 4242 4242 4242"}, "number"),
        ({"number": "42424242424"}, "number"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "number"),
        ({"number": ""}, "number"),
        ({"exp_month": "13"}, "exp_month"),
        ({"exp_month": "1"}, "exp_month"),
        ({"exp_year": "2020"}, "exp_year"),
        ({"exp_year": "30"}, "exp_year"),
        ({"exp_year": "2099"}, "exp_year"),
        ({"exp_month": "10", "exp_year": "2026"}, "exp_month"),
        ({"cvc": "12"}, "cvc"),
        ({"cvc": "12a"}, "cvc"),
        ({"cryptogram": "not base64!"}, "cryptogram"),
    ],
)
def test_a_card_that_is_none_is_refused_by_its_part(vault: Vault, change: dict[str, Any], param: str) -> None:
    assert vault.refused(replace(CARD, **change)) == f"payment_method.{param}"
    assert "tokens" not in vault.rows()


def test_an_allowance_that_is_over_and_a_blocked_card_are_refused(vault: Vault) -> None:
    assert vault.refused(allowance=vault.allowance(expires_at=clock.now())) == "allowance.expires_at"
    assert vault.refused(signals=(Signal.AUTHORIZED, Signal.BLOCKED)) == "risk_signals[1].action"
    assert vault.inspect(vault.token(signals=(Signal.MANUAL_REVIEW,))).review


def test_a_repeat_gets_the_first_answer_whatever_it_was(vault: Vault) -> None:
    request = vault.request("key_1")
    first = vault.delegate(request=request)
    with clock.shifted(timedelta(hours=1)):
        again = vault.delegate(request=request)
    assert (again.made_id, again.created_at, again.replayed) == (first.made_id, first.created_at, True)
    with pytest.raises(IdempotencyConflict):
        vault.delegate(request=vault.request("key_1", "another body"))
    bad = vault.request("key_2", "bad")
    refused = vault.delegate(replace(CARD, number="1"), request=bad)
    assert vault.delegate(replace(CARD, number="1"), request=bad) == replace(refused, replayed=True)
    with pytest.raises(IdempotencyConflict):
        vault.delegate(request=vault.request("key_2", "good"))
    other = replace(request, caller="agp_two")
    assert vault.delegate(request=other).made_id != first.made_id


def test_eight_at_once_make_one_token(vault: Vault) -> None:
    request = vault.request("key_1")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: vault.delegate(request=request), range(8)))
    assert len({answer.made_id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7


def test_two_captures_at_once_take_it_once(vault: Vault) -> None:
    token = vault.token()
    with ThreadPoolExecutor(4) as pool:
        ends = sorted(charge.status for charge in pool.map(lambda _: vault.capture(token), range(4)))
    assert ends == [ChargeStatus.CAPTURED] + [ChargeStatus.DECLINED] * 3


def test_too_many_failing_cards_close_the_door_for_a_minute(vault: Vault) -> None:
    vault.failing = 3
    vault.refused(replace(CARD, number="1"))
    vault.gateway.refuse(vault.request(), Refusal("malformed", "payment_method", malformed=True), failing=3)
    declined = replace(CARD, number="4000000000000002")
    for _ in range(2):
        assert vault.capture(vault.token(declined)).decline_code == "card_declined"
    with pytest.raises(RateLimited):
        vault.delegate()
    assert vault.delegate(request=replace(vault.request(), caller="agp_two")).made_id
    with clock.shifted(timedelta(seconds=61)):
        assert vault.delegate().made_id


def test_nothing_of_a_card_is_kept_that_could_be_read_or_guessed(vault: Vault) -> None:
    number, code = "4111111111111111", "8317"
    card = DelegatedCard(number, exp_month="11", exp_year="2030", cvc=code, cryptogram=CRYPTOGRAM)
    body = {"number": number, "cvc": code}
    token = vault.token(card, request=vault.request(body=body))
    vault.refused(replace(card, exp_month="99"), request=vault.request(body=body))
    kept = vault.rows()
    sealed = number.encode().hex()
    for secret in (number, CRYPTOGRAM, sealed, _plain_hash(body), _plain_hash(number)):
        assert secret not in kept
    assert not re.search(rf"[\s'\"(,]{code}[\s'\"),]", kept)  # four digits are in many a digest
    assert "DelegatedCard(…)" in repr(card)
    assert number not in repr(vault.request(body=body))
    assert _sealed(vault, token)
    vault.capture(token)
    assert not _sealed(vault, token)


def test_a_number_whose_token_expired_is_let_go(vault: Vault) -> None:
    token, request = vault.token(), vault.request("key_1")
    vault.delegate(request=request)
    with clock.shifted(timedelta(minutes=11)):
        vault.gateway.forget_old()
        assert not _sealed(vault, token)
        assert vault.delegate(request=request).replayed
    with clock.shifted(timedelta(hours=26)):
        vault.gateway.forget_old()
        fresh = vault.allowance()
        assert not vault.delegate(request=request, allowance=fresh).replayed


def test_a_challenged_card_pays_with_a_proof_and_with_no_other(vault: Vault) -> None:
    token = vault.token(replace(CARD, number=CHALLENGED))
    assert vault.inspect(token).challenge_url
    asked = vault.authenticate()
    assert asked.status == AuthenticationStatus.ACTION_REQUIRED
    assert asked.action is not None
    assert asked.action["type"] == "challenge"
    assert asked.result is None
    proven = vault.passed(asked)
    assert (proven.status, proven.action) == (AuthenticationStatus.AUTHENTICATED, None)
    proof = dict(proven.result or {})
    assert proof["electronic_commerce_indicator"] == "05"
    made_up = [
        proof | {"three_ds_cryptogram": CRYPTOGRAM},
        proof | {"electronic_commerce_indicator": "02"},
        proof | {"transaction_id": "c4e59ceb-a382-4d6a-bc87-385d591fa09d"},
        proof | {"version": "2.1.0"},
        {name: value for name, value in proof.items() if name != "three_ds_cryptogram"},
        {},
    ]
    assert not any(vault.proves(one) for one in made_up)
    assert not vault.proves(proof, amount=5001)
    assert not vault.proves(proof, currency="EUR")
    assert not vault.proves(proof, session_id=new_id("checkout"))
    assert vault.inspect(token).challenge_url
    assert vault.proves(proof)
    assert vault.proves(proof, amount=4000)
    assert vault.inspect(token).challenge_url is None
    assert vault.capture(token).status == ChargeStatus.CAPTURED


def test_a_proof_is_for_one_card_one_session_and_one_merchant(vault: Vault) -> None:
    vault.token()
    proof = vault.passed(vault.authenticate()).result
    assert not vault.proves(proof)  # of another card than was delegated
    vault.token(replace(CARD, number=CHALLENGED))
    assert vault.proves(proof)
    first, vault.session_id = vault.session_id, new_id("checkout")
    vault.token(replace(CARD, number=CHALLENGED))
    assert not vault.proves(proof)
    bound = vault.passed(vault.authenticate(session_id=first)).result
    assert not vault.proves(bound)
    vault.merchant = new_id("tenant")
    assert not vault.proves(proof, session_id=first)


@pytest.mark.parametrize(
    ("number", "status", "letter", "eci"),
    [
        (VISA, "authenticated", "Y", "05"),
        ("5555555555554444", "authenticated", "Y", "02"),
        ("4000000000003238", "attempted", "A", "06"),
        ("4000000000003246", "not_authenticated", "N", "07"),
        ("4000000000003253", "rejected", "R", None),
        ("4000000000003261", "unavailable", "U", None),
    ],
)
def test_how_authentications_end(vault: Vault, number: str, status: str, letter: str, eci: str | None) -> None:
    vault.token(replace(CARD, number=number))
    ended = vault.authenticate(number)
    assert ended.result is not None
    assert (ended.status, ended.result["trans_status"]) == (status, letter)
    assert ended.result.get("electronic_commerce_indicator") == eci
    assert vault.proves(ended.result) == (status in {"authenticated", "attempted"})


def test_an_authentication_goes_on_once_and_ends_in_time(vault: Vault) -> None:
    asked = vault.authenticate(VISA, challenge_first=True)
    assert asked.action is not None
    again = vault.gateway.go_on(asked.id, merchant=vault.merchant, session_id=None)
    assert again == asked
    with pytest.raises(NotFound):
        vault.gateway.authentication(asked.id, merchant="tnt_other")
    with pytest.raises(NotFound):
        vault.gateway.go_on("auth_session_0", merchant=vault.merchant, session_id=None)
    given = AuthenticationRequest(VISA, "11", "2030", Money(1, "USD"))
    begun = vault.gateway.authenticate_card(vault.request(), given, failing=100)
    read = lambda: vault.gateway.authentication(begun.made_id or "", merchant=vault.merchant)  # noqa: E731
    assert (read().status, read().action) == (AuthenticationStatus.PENDING, None)
    with clock.shifted(timedelta(minutes=31)):
        assert read().status == AuthenticationStatus.EXPIRED
        late = vault.gateway.go_on(read().id, merchant=vault.merchant, session_id=None)
        assert (late.status, late.result) == (AuthenticationStatus.EXPIRED, None)
        gone = vault.gateway.authentication(asked.id, merchant=vault.merchant)
        assert gone.status == AuthenticationStatus.CHALLENGE_ABANDONED
        with pytest.raises(NotFound):
            vault.gateway.pass_challenge(asked.action["challenge"]["acs_trans_id"])


def test_a_holder_who_says_no_and_a_card_of_no_scheme(vault: Vault) -> None:
    asked = vault.authenticate()
    assert asked.action is not None
    vault.gateway.refuse_challenge(asked.action["challenge"]["acs_trans_id"])
    ended = vault.gateway.authentication(asked.id, merchant=vault.merchant)
    assert ended.status == AuthenticationStatus.NOT_AUTHENTICATED
    assert vault.authenticate("6011111111111117").status == AuthenticationStatus.NOT_SUPPORTED


def test_only_a_demo_shop_has_the_sandbox(runtime: Runtime) -> None:
    assert isinstance(card_taker(runtime.gateways, demo=True), CardTaker)
    with pytest.raises(DelegationUnsupported):
        card_taker(runtime.gateways, demo=False)


def _plain_hash(value: Any) -> str:
    from engine.kit.idempotency import fingerprint

    return fingerprint(value)


def _sealed(vault: Vault, token: str) -> bool:
    with psycopg.connect(vault.url) as connection:
        query = "SELECT number_sealed IS NOT NULL FROM sandbox.tokens WHERE id = %s"
        return bool(connection.execute(query, (token,)).fetchone()[0])  # type: ignore[index]

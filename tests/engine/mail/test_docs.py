"""The page of the domain says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.checks import invoices, mail
from engine.kit.outbox import CONSUMERS
from engine.mail.consumer import CONSUMER
from engine.mail.letters import LETTERS
from engine.mail.policy import MailPolicy
from engine.mail.states import MAIL
from engine.orders.seller import SellerPolicy

PAGE = (Path(__file__).parents[3] / "docs/domains/mail.md").read_text(encoding="utf-8")


def test_the_page_shows_the_table() -> None:
    assert MAIL.diagram() in PAGE


@pytest.mark.parametrize("name", [*MailPolicy.model_fields, *SellerPolicy.model_fields, *LETTERS])
def test_the_page_names_every_policy_and_event(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("rule", [*mail.RULES, *invoices.RULES], ids=lambda rule: rule.name)
def test_the_page_names_every_rule(rule) -> None:
    assert rule.name in " ".join(PAGE.split())


def test_every_event_the_outbox_brings_has_a_letter() -> None:
    assert {topic for topic, consumers in CONSUMERS.items() if CONSUMER in consumers} == set(LETTERS)

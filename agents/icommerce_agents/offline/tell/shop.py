"""What the shop says about itself: returns, shipping, hours, contact."""

from __future__ import annotations

import re
from typing import Any

from icommerce_agents.offline import lexicon
from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell.phrases import days, failure, joined, listed, say, sentence


def shop(result: Result, scene: Scene, topic: str) -> str:
    """The part of the shop's own words that a topic is about."""
    if not result.ok:
        return failure(result, scene.seed)
    told = _TELLERS.get(topic, _about)(result.value, scene.text)
    contact = result.value.get("support_email")
    return told or say("shop_unknown", scene.seed, contact=f"; you can ask {contact}" if contact else "")


def _returns(info: Json, _question: str) -> str:
    return " ".join(_flat(value) for key, value in info.items() if "return" in key)


def _shipping(info: Json, question: str) -> str:
    """Prices for the place asked about, else for the shop's first zone; and where else it ships."""
    zones = [zone for zone in info.get("shipping") or () if isinstance(zone, dict)]
    asked = _countries(question)
    ships_to = [str(code) for code in info.get("ships_to") or ()]
    unserved = [code for code in asked if ships_to and code not in ships_to]
    if unserved:
        return f"Sorry, we don't ship to {listed(map(_country_name, unserved))}. {_everywhere(ships_to)}"
    named = [zone for zone in zones if _is_about(str(zone.get("zone", "")), question, asked)]
    told = [f"{zone.get('zone')}: {'; '.join(map(_rate, zone.get('rates') or ()))}." for zone in named or zones[:1]]
    others = [str(zone.get("zone")) for zone in zones if zone not in (named or zones[:1])]
    more = f"We also ship to {listed(others)}; name a place for its prices." if others and not named else ""
    return joined(*told, more or ("" if named or zones else _everywhere(ships_to)))


def _countries(question: str) -> list[str]:
    text = question.lower()
    names = lexicon.places("countries")
    found = [
        code for name, code in names.items() if name != "us" and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
    ]
    found += ["US"] if re.search(r"\b(?:the )?US\b", question) else []
    return list(dict.fromkeys(found))


def _is_about(zone: str, question: str, asked: list[str]) -> bool:
    """Whether a zone's name has the country, the state or the words asked about in it."""
    low = zone.lower()
    names = [name for name, code in lexicon.places("countries").items() if code in asked and len(name) > 3]
    names += [name for name in lexicon.places("us_states") if re.search(rf"\b{name}\b", question.lower())]
    return any(name in low for name in names) or bool("US" in asked and re.match(r"us\b", low))


def _everywhere(ships_to: list[str]) -> str:
    return f"We ship to {listed(map(_country_name, ships_to))}." if ships_to else ""


def _country_name(code: str) -> str:
    names = [name for name, known in lexicon.places("countries").items() if known == code and len(name) > 3]
    name = names[-1 if code in {"US", "GB"} else 0] if names else code
    return {"US": "the United States", "GB": "the United Kingdom"}.get(code, name.title())


def _rate(rate: Json) -> str:
    title, taken = str(rate.get("title") or ""), days(rate.get("days"))
    times = [taken] if taken and not re.search(r"\d", title) else []
    times += [f"free over {rate['free_over']}"] if rate.get("free_over") else []
    return f"{title} {rate.get('price')}{f' ({listed(times)})' if times else ''}"


def _hours(info: Json, _question: str) -> str:
    hours = next((value for key, value in info.items() if "hours" in key and value), "")
    return sentence(f"Our team is here {_flat(hours)}") if hours else ""


def _contact(info: Json, question: str) -> str:
    email = f"You can write to {info['support_email']}." if info.get("support_email") else ""
    return joined(email, _hours(info, question), "Or say “talk to a person”, and I'll fetch someone here.")


def _about(info: Json, question: str) -> str:
    name = f"This is {info['name']}." if info.get("name") else ""
    return joined(
        name, sentence(_flat(info.get("tagline") or "")), sentence(_returns(info, question)), _hours(info, question)
    )


_TELLERS = {
    "returns_policy": _returns,
    "shop_shipping": _shipping,
    "shop_hours": _hours,
    "shop_contact": _contact,
}


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key.replace('_', ' ')}: {_flat(part)}" for key, part in value.items() if part)
    if isinstance(value, list):
        return ", ".join(_flat(part) for part in value)
    return str(value)

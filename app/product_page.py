"""``/products/{handle}``: a product's own page, for people who come by a link and for what reads pages for them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response

from app.pages import embedded
from app.routing import SiteDep
from app.shopfront import Slug, Visit, closed, go, visit
from app.wording import money
from engine.catalog import service as catalog
from engine.catalog.schemas import ProductDetail
from engine.conversations import service as conversations
from engine.conversations.schemas import Action, ActionName, RunInput
from engine.kit.errors import DomainError, NotFound
from engine.kit.money import exponent
from engine.kit.views import Price

router: Final = APIRouter(prefix="/products", include_in_schema=False)
_SCHEMA: Final = "https://schema.org"
_SHORT: Final = 200
_FEW: Final = 5


@router.get("/{handle}")
def page(handle: str, request: Request, site: SiteDep, shop: Slug = "") -> Response:
    """The product by its handle, its id or a variant's, in the shop's currency; 404 in the shop's look."""
    seen: Visit | None = None
    try:
        seen = visit(site, request, shop)
        return _page(seen, *_product(seen, handle))
    except DomainError as error:
        return seen.refused(error) if seen else closed(request, error)


@router.post("/{handle}/ask")
def ask(
    handle: str, request: Request, site: SiteDep, shop: Slug = "", add: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    """Go on in the chat with this product: its card, or, with a variant to ``add``, one of it in the cart."""
    seen: Visit | None = None
    try:
        seen = visit(site, request, shop)
        seen.check_form()
        return _to_the_chat(seen, _product(seen, handle)[1], add)
    except DomainError as error:
        return seen.refused(error) if seen else closed(request, error)


def _product(seen: Visit, handle: str) -> tuple[str, ProductDetail]:
    """Raises ``NotFound``, also for a handle that could be none."""
    if not handle.isprintable() or len(handle) > 80:
        raise NotFound("There is no such product in this shop.")
    with seen.site.runtime.unit_of_work(seen.merchant.id) as session:
        return catalog.product_by_handle(session, seen.merchant.id, handle)


def _to_the_chat(seen: Visit, product: ProductDetail, variant_id: str) -> Response:
    """Raises ``NotFound`` for a variant that is not this product's."""
    if variant_id and variant_id not in {one.id for one in product.variants}:
        raise NotFound("There is no such choice of this product.")
    wanted = (
        Action(name=ActionName.ADD_TO_CART, args={"variant_id": variant_id, "quantity": 1})
        if variant_id
        else Action(name=ActionName.VIEW_PRODUCT, args={"product_id": product.id})
    )
    seen.limit_guests()
    with seen.site.runtime.unit_of_work(seen.merchant.id) as session:
        shopper, token = seen.enter(session)
        thread = conversations.newest_thread(session, shopper) or conversations.create_thread(session, shopper)
        asked = RunInput(action=wanted, language=seen.wording.language)
        conversations.submit(session, shopper, thread.id, asked, channel="web")
        thread_id = thread.id
    seen.site.wake(seen.merchant.id, thread_id)
    answer = go(f"{seen.to('/')}#{thread_id}")
    seen.keep(answer, token)
    return answer


def _page(seen: Visit, handle: str, product: ProductDetail) -> Response:
    canonical = f"{seen.origin}{seen.to(f'/products/{handle}')}"
    picture = f"{seen.origin}{seen.to(product.image)}"

    def price(amount: Price) -> str:
        return money(amount.amount, amount.currency, seen.locale)

    return seen.page(
        "site/product.html",
        handle=handle,
        product=product,
        price=price,
        canonical=canonical,
        picture=picture,
        plain_price=_decimal(product.price),
        about=_short(product.description),
        facts=_facts(product),
        few=_FEW,
        data_json=embedded(_described(seen, product, canonical, picture)),
    )


def _facts(product: ProductDetail) -> list[tuple[str, str]]:
    """What can be compared, each with its unit."""
    found = []
    for name, value in product.attributes.items():
        said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        unit = product.units.get(name, "")
        if not isinstance(value, bool):
            found.append((name.replace("_", " ").capitalize(), f"{said} {unit}".strip()))
    return found


def _described(seen: Visit, product: ProductDetail, canonical: str, picture: str) -> dict[str, Any]:
    """The product as schema.org writes it, an offer for each variant."""
    told: dict[str, Any] = {
        "@context": _SCHEMA,
        "@type": "Product",
        "@id": canonical,
        "name": product.title,
        "description": product.description,
        "image": [picture],
        "category": product.category,
        "brand": {"@type": "Brand", "name": product.brand},
        "offers": [
            {
                "@type": "Offer",
                "url": canonical,
                "sku": one.sku,
                "name": one.title,
                "price": _decimal(one.price),
                "priceCurrency": one.price.currency,
                "availability": f"{_SCHEMA}/{'InStock' if one.available else 'OutOfStock'}",
                "itemCondition": f"{_SCHEMA}/NewCondition",
                "seller": {"@type": "Organization", "name": seen.merchant.name},
            }
            for one in product.variants
        ],
    }
    if product.rating_count:
        stars = f"{product.rating // 10}.{product.rating % 10}"
        rated = {"@type": "AggregateRating", "ratingValue": stars, "reviewCount": product.rating_count}
        told["aggregateRating"] = rated
    return told


def _decimal(price: Price) -> str:
    """``129900`` cents → ``1299.00``, as programs read it."""
    places = exponent(price.currency)
    whole, rest = divmod(price.amount, 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1].rsplit(' ', 1)[0]}…"

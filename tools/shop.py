"""What the shop says about itself."""

from __future__ import annotations

from engine.catalog import service
from tools.naming import SHOP
from tools.spec import Access, Outcome, ToolContext, tool


@tool(access=Access.READ, agents=SHOP)
def get_shop_info(context: ToolContext) -> Outcome:
    """The shop's name, what it sells, returns policy, where and how it ships and for how much, support hours and
    e-mail. Use it for any question about the shop itself.
    """
    with context.unit_of_work() as session:
        info = service.shop_info(session, context.identity.tenant_id)
    return Outcome(info.model_dump(mode="json"))

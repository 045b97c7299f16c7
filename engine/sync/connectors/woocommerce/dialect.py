"""How a WooCommerce store is spoken to."""

from __future__ import annotations

from engine.sync.dialects import BasicDialect, Probe
from engine.sync.errors import FieldFault
from engine.sync.wire import Reply


class WooCommerceDialect(BasicDialect):
    """HTTP Basic by a consumer key and its secret. Errors are ``{code, message, data{status, params{}}}``."""

    user, password = "consumer_key", "consumer_secret"
    probe = Probe("GET", "/orders?per_page=1")

    def faults(self, reply: Reply) -> tuple[FieldFault, ...]:
        """The parameters that it refused."""
        data = reply.data.get("data") if isinstance(reply.data, dict) else None
        params = data.get("params") if isinstance(data, dict) else None
        return (
            tuple(FieldFault(str(name), str(words)) for name, words in params.items())
            if isinstance(params, dict)
            else ()
        )

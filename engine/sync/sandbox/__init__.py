"""Honest emulators of the systems that merchants run: Shopify, NetSuite, DCL; small ones of Slack, mail and carriers.

They speak HTTP and are let in by nothing but credentials: a connector that works here was given another address, no
back door. What is known of each vendor, and how surely, stands in ``docs/sandbox.md``. Nothing of the engine knows this
package, and it knows nothing of the engine but its kit.
"""

from engine.sync.sandbox.application import app
from engine.sync.sandbox.serving import serving
from engine.sync.sandbox.transport import WorldTransport
from engine.sync.sandbox.world import World

__all__ = ["World", "WorldTransport", "app", "serving"]

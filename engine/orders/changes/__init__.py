"""Changing an order after it was paid: asked, quoted, agreed to, and then applied once, with everything it moves."""

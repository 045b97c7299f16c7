"""The Sync Server's kit: connections to a shop's other systems, what protects them, and what is remembered of them."""

"""Stripe behind the gateway port. The vendor's SDK is an optional extra and is imported at the first call."""

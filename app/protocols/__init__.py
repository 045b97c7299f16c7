"""Protocols of others that the shop speaks. None of them imports another."""

"""Durable workflows over the shop's other systems."""

"""Warranties: what is promised for a unit that arrived, and the claims that are made on it."""

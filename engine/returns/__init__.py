"""Goods that come back: who may send what, how it travels, what becomes of it, and the money that follows."""

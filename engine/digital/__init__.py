"""Goods without a parcel: licence codes, and the access that a buyer gets."""

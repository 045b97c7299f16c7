"""Files that are handed in: told first, then brought into the shop, large ones beside the requests."""

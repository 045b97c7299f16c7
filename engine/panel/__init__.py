"""What staff see of an order and its buyer, and what they may do to it: each act as a card first, then once."""

"""From an order to the parcel at the door."""

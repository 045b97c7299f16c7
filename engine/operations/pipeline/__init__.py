"""What runs between the shop and its other systems, as the shop's people see it: runs, what stopped, what came in."""

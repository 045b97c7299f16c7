"""A public benchmark's shop on our engine: import, act through our agents' tools, compare the end state."""

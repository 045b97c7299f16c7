"""Buying through other people's agents: who they are, and what the Agentic Commerce Protocol adds to a checkout."""

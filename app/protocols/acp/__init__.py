"""The Agentic Commerce Protocol, 2026-04-17, and 2026-01-30 as a projection of it."""

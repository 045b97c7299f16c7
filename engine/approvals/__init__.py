"""Approvals: what is above one person's limit waits for another's yes."""

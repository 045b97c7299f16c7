"""What the shop's own people see and do across all domains: what is stuck, and acts that one of them agrees to."""

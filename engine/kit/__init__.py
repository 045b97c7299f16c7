"""What every domain stands on: money, ids, clock, errors, tenancy, idempotency, outbox, audit."""

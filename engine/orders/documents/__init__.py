"""Papers of an order: the receipt, the invoice and what corrects it."""

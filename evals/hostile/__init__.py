"""A model that means harm: what must hold whatever a model does."""

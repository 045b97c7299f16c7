"""What an agent can do: typed functions over the engine. No model is imported here."""

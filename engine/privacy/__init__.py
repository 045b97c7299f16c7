"""What is kept of a person, in every room of the house: shown to them whole, and forgotten when they ask for it."""

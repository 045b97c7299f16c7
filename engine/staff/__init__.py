"""The shop's people: who they are, how they sign in, what they may do."""

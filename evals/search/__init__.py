"""Is search any good? Graded queries over both demo shops, by words, by meaning and fused."""

"""How a shop looks and sounds, as data: colors, corners, voice, and the languages of its pages."""

"""Model cards: what stands in a model file, how a person writes it, how it is told. Needs no torch."""

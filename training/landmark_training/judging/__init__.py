"""Judging: a model, or two against each other, on cases with references; figures, page, pictures."""

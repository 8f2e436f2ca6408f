"""Data: from folders of cases to augmented batches and the targets that go with them."""

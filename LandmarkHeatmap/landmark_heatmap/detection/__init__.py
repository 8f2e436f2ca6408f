"""Detection: from an image and a model to a prediction, for one image or for many."""

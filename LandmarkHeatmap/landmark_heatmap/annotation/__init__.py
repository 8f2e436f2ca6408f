"""Annotations: what is said of the landmarks of an image, and the files that say it."""

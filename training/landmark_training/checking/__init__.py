"""Mistakes in the annotations of whole datasets, found before a training learns them."""

"""Formats of annotation, a file each; what reads one and what writes it stand side by side."""

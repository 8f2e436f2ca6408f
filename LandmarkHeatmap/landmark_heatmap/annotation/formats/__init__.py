"""Formats of annotation, a file each; what reads one and what writes it stand side by side."""

# Those that annotations can be written as (dataset/convert.py).
WRITTEN = ("tps", "csv", "fcsv", "mrk.json")

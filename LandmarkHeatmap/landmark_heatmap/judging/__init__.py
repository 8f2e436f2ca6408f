"""Judging: how far predictions lie from references, and how alike and how honest their heatmaps are."""

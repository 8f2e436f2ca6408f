"""How results are shown: heatmap overlays, surfaces, and where the views look."""

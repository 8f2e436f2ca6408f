"""Pictures: planes through an image, with points and heatmaps on them. Needs matplotlib."""

"""Models: what a network is and sees, what its heatmaps mean, which shapes it knows, its file."""

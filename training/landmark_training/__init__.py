"""Training of LandmarkHeatmap models. Stands on landmark_heatmap; knows no slicer."""

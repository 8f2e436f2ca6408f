"""Cases to train on from few annotated images and many configurations of points without images."""

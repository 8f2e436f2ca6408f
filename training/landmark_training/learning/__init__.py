"""Learning: the loop of a run, its two stages, the losses, and the model file that it keeps."""

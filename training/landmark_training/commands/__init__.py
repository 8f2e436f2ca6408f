"""The parts of `landmark-train`: each adds its commands to the parser."""

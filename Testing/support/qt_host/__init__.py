"""A thin Slicer application for the panel: real Qt widgets, the real MRML, no Slicer. See README.md."""

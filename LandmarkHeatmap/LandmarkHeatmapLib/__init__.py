"""Landmark detection in a MRML scene: results, overlays, corrections, export.

Knows slicer and vtk, never qt. The scene is passed in, or taken from a node.
"""

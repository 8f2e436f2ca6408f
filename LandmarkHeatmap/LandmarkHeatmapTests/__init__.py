"""The module's tests inside the application, a file a theme; LandmarkHeatmap.py makes one class of all.

Each file holds a plain class with test_ methods, to be mixed with PanelTest (panel_test.py). Slicer
imports these files whenever it starts, for the module file does: what costs is imported in the
functions that use it.
"""

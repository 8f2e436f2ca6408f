"""Pictures of the panel in its main states, beside the slice views, made by the host.

    python3 dev.py screenshots [--output DIR]

Nothing is drawn for the picture: the model that ships detects in the synthetic hip, the reviewer's
moves are the program's own, the export is written to a temporary folder. Qt's plain style stands in
for Slicer's.
"""

from __future__ import annotations

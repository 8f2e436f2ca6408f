"""Stand-ins for the ctk and qMRML widgets, with the properties, signals and methods that Slicer's have.

Only what is in widget_api.json may be called on them: a name that Slicer does not have must not
work here. What a stand-in keeps for itself starts with an underscore.
"""

from __future__ import annotations

from .ctk import CTK
from .qmrml import QMRML

STAND_INS = {each.__name__: each for each in (*CTK, *QMRML)}

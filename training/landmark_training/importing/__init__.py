"""Other people's files of landmarks, into folders of image + .mrk.json pairs.

A format is one function that reads a file, and one line in `FORMATS`. What the numbers mean is always
stated: by the format where it defines that, else by the user.
"""

from .cases import FORMATS, ImportJob, import_cases
from .marks import ORIGINS, UNITS, Frame2D, Marked

__all__ = ["FORMATS", "ORIGINS", "UNITS", "Frame2D", "ImportJob", "Marked", "import_cases"]

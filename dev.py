"""Set everything up in .venv and run a job there. Needs nothing but Python.

python3 dev.py demo    the whole loop on a synthetic hip: detect, see, correct, export, retrain
python3 dev.py test    the checks and the tests
python3 dev.py check   the checks and the tests of the house alone, as pre-commit does
python3 dev.py docs    HTML of all documents, in build/docs; the page of the command line is written anew
python3 dev.py screenshots    the panel in its main states, without Slicer
python3 dev.py tutorial    goes through training/TUTORIAL.md, without Slicer, and makes its pictures
python3 dev.py robustness    break files, exports and disks on purpose (--long: at length)
python3 dev.py setup   only set up
"""

import os
import sys

# The oldest Python for which there is all that is installed. This file alone is read by older ones,
# so nothing stands in it that they do not know.
OLDEST = (3, 10)
if sys.version_info < OLDEST:
    sys.exit(
        "This is Python %d.%d; dev.py needs %d.%d or newer. Nothing was changed."
        " Call it with a newer one, for instance: python3.12 dev.py"
        % (sys.version_info[0], sys.version_info[1], OLDEST[0], OLDEST[1])
    )
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "Testing", "support"))

from workbench.jobs import JOBS, main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], __doc__, JOBS))

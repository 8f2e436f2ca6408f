"""The journal of a review: what was done, on the disk at once, so that a crash of the application
costs nothing. `ReviewJournals` in journals.py is what a panel talks to."""

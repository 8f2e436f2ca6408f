"""Planning: the settings of a run, and what they are where the data decide."""

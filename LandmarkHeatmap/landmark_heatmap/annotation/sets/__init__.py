"""Landmark sets as a person makes them: files of their own, and the draft that an editor shows."""

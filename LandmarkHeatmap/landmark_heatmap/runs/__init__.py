"""Trainings as processes of their own: begun, watched, ended and gone on with, by files alone."""

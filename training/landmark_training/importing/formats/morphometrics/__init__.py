"""Formats of geometric morphometrics."""

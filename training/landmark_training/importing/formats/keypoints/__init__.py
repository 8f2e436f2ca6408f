"""Formats of programs that follow key points of animals and people."""

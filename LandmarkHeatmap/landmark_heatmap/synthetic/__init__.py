"""Synthetic images with exact landmarks: the hip that tests, demo and the shipped model use."""

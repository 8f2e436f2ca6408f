"""What python3 dev.py does: an environment of its own, and the jobs that run there. Needs only Python."""

from contextlib import suppress

# Triton, which torch from PyPI brings along on Linux and imports for the first training step, and
# Mesa, once it draws, each load an LLVM. Triton has to come first: else the process dies.
with suppress(ImportError):
    import triton  # noqa: F401

"""The review of a result: what was judged, step by step, with undo."""

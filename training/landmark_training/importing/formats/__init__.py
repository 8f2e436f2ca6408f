"""The formats that can be imported, a file each; `registry.py` lists them."""

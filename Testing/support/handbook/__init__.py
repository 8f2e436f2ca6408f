"""The documents: what they link to, which commands they name, and the page that code writes."""

"""Detection in a process of its own, which stays warm between images: client, server, protocol."""

"""What is published, and how it is read: vectors, graph, metadata, manifest."""

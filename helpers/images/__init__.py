"""The pictures: downloaded, checked, kept in the cache, and prepared for the encoder."""

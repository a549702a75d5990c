"""How right an index is, and how fast: measured on distorted scans and on real photos."""

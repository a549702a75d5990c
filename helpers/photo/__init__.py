"""Pixels only: cards found in a picture, cut out, and compared with scans."""

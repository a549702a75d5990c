"""Invented cards, drawn: something to index that belongs to nobody."""

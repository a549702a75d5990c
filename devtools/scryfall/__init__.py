"""A Scryfall of our own on 127.0.0.1, with faults to order."""

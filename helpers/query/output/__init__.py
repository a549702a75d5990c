"""Answers for whoever asked: lines, a list for collection sites, a sheet to look at."""

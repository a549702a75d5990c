"""The build: what goes in, each picture embedded, the index made of it, the set published."""

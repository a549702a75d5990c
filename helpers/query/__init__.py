"""The question: pictures in, the nearest cards out, shown as text, JSON or a sheet."""

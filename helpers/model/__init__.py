"""The encoder: from prepared pixels to unit vectors, with torch or ONNX Runtime."""

"""ONNX sessions behind a Protocol, and the model packs they are opened from."""

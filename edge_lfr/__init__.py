"""
edge-lfr: live facial recognition that finds listed people and forgets everybody else.

The first lines run before any other import of the package: ONNX Runtime reads its telemetry switch when it is first
imported, and `disable_telemetry_events()` afterwards is too late (its uploader thread is already running by then).
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"

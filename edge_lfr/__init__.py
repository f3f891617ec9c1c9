"""
edge-lfr: live facial recognition that finds listed people and forgets everybody else.

The first lines run before any other import of the package: ONNX Runtime reads its telemetry switch when it is first
imported, and `disable_telemetry_events()` afterwards is too late (its uploader thread is already running by then).
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Read when numpy is first imported. Two threads of matrix product that wait for each other while nets and decoders use
# the cores took 32 ms for a search of 3.8 ms (17,000 x 256, eight probes).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"

BUILT_ON = "2026-06-01"
"""No later than this program was made: a wall time before it is wrong. Moved on with each release."""

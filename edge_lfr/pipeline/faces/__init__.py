"""`Frame` to `AlignedFace`: find faces, follow them, judge them, and lay the good ones onto the canonical frame."""

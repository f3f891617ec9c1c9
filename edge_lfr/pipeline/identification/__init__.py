"""`AlignedFace` to `Decision`: extract, search, decide; sample and probe are destroyed here."""

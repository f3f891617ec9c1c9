"""The reference database of one deployment: source format, sealed store, gallery in memory."""

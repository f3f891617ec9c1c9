"""Truth files and what is measured against them."""

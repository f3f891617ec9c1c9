"""Who may do what: keys, seals and signed messages."""

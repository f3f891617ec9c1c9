"""What happens here, on its way into the ledger."""

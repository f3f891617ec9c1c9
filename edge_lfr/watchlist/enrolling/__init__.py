"""From pictures to references: where they come from, how they are decoded, what became of them."""

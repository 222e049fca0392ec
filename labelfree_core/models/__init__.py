"""Networks, their cards, and where they are kept."""

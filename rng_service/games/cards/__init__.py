"""Playing cards, and the mathematics of card games; the settlement models above it read definitions and take bets."""

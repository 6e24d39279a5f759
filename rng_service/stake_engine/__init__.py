"""Stake Engine math packages: read as they are, checked, and made into a game definition."""

"""What slots on reels share: windows, decision diagrams of lines, exact distributions of whole spins."""

"""What results are made of, in words: pure data, nothing compiled."""

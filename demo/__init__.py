"""`make demo`: real virtual machines use shares, over every road, before your eyes."""

"""What an answer looks like at each microversion."""

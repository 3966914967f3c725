"""What every process of ours does about itself: its log, its memory, its user."""

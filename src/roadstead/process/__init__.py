"""What every process of ours does about itself: its log, memory, user and files."""

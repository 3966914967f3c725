"""The way to a share, told hop by hop to whoever asks. Pure: from what the database holds."""

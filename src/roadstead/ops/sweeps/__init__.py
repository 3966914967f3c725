"""What keeps the world as the database says: shares, networks, attachments, active gateways,
standby gateways. `base.py` says what a sweep is."""

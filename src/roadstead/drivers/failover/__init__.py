"""Who elects between a gateway and its standby."""

"""`make bench`: figures of the API and of the roads, measured on this machine. Nothing asserted."""

"""Pairs of gateways by keepalived and conntrackd."""

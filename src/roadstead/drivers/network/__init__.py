"""Network drivers: how share servers get onto tenants' segments."""

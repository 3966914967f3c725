"""The rules: check, reserve, insert, submit, in one transaction. Knows nothing of HTTP."""

"""Dispatch of operations: who runs `run_operation(op_id)`, and when."""

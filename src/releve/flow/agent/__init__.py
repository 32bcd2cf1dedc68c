"""What the agent drives: spool, sending, orders, supervision."""

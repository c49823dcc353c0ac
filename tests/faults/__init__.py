"""Faults against a real server, seen from outside: what was seen, what was kept, what was said (`make faults`)."""

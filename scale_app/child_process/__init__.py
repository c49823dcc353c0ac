"""Processes of our own that speak JSON lines: `owner` starts and ends them, `child` is their side of the pipe."""

"""What pages are put together from: controls, tables, explanations; none of it knows a state."""

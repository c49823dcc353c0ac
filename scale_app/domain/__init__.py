"""What a run is and what its figures mean. Pure: no clock, no I/O, no logging."""

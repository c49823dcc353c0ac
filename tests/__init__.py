"""The tests. unit: no process, no socket; contract: each port's promises on fake and real; integration: real parts."""

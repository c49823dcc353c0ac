"""The pages of all runs and of one, and what can be done with a run on either."""

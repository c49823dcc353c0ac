"""The live page: the plan on the left, the run on the right."""

"""The page of one run, by its permanent address."""

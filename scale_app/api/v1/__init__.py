"""The API's first version: runs, saved plans, baselines, the demo, and a numbered feed of each run."""

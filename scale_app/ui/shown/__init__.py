"""The run that a tab shows: its state, brought up to date each second, and the panels that show it."""

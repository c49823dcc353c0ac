"""Requests per pod, counted at pods that nobody changed: one module per source, all behind one port."""

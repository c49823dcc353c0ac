"""Snapshots and histories as SVG path strings and places in per cent; pure, drawn alike by page and report."""

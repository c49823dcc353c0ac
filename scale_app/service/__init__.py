"""Owns every run: starts, edits, stops, stores, and tells everybody. Knows ports, no framework."""

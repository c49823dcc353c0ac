"""Kubernetes as the service sees it: what can be loaded, whose pods share the work, what may be read.

What the cluster answers is read here into narrow types of our own; nothing of the client package goes further.
"""

"""A real Kubernetes cluster in namespaces of this machine, and the tests that need one.

`make test-cluster` runs the tests; `python -m tests.cluster` keeps a cluster for work by hand. See README.md.
"""

"""The load generator: a process of its own, the only package that imports locust and gevent."""

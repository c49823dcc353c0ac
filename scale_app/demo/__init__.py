"""The built-in target: real HTTP pods behind a balancer that picks a pod once per connection, as kube-proxy does.

It runs as a process of its own, so that every figure of a first run is measured. One asyncio loop holds the
listener and all pods: the choice at accept() decides the balance, and copying bytes between processes would add
nothing to it but cost.
"""

"""What logs, metrics and connection tables of pods and proxies say about requests. Pure; every text may be hostile."""

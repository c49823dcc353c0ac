"""What texts that pods, proxies and kernels give away say about requests. Pure; every text may be hostile."""

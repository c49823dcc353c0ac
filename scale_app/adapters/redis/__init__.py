"""What replicas share, in Redis: leases and the bus. Loaded when SCALE_REDIS_URL is set."""

from scale_app.adapters.redis.bus import RedisBus
from scale_app.adapters.redis.checks import warnings
from scale_app.adapters.redis.connection import Server
from scale_app.adapters.redis.leases import RedisLeases

__all__ = ["RedisBus", "RedisLeases", "Server", "warnings"]

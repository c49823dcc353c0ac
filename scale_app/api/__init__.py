"""REST and WebSocket: what programs ask of the hub. Shapes and errors are the wire's; everything else is the hub's."""

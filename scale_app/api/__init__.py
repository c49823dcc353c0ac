"""REST and WebSocket: the hub's door for programs. Shapes and errors are the wire's; everything else is the hub's."""

"""HTTP/1.1: a client, a server, and a server for whoever may come."""

"""HTTP/1.1: a client for one question and one for many, a server, and one for whoever may come."""

"""The methods of both clients, by what they do; written by contrib/api-client."""

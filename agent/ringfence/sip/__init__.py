"""A lazy RFC 3261 view of bytes: requests, responses, header fields, URIs."""

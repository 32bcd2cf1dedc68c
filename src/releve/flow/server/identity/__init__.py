"""Signing in by OpenID Connect: what a provider says of itself, its tokens, whose accounts they open."""

"""Signing in by an OpenID Connect provider: what is set, what is asked of the provider, and what is believed of it."""

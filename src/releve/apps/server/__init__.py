"""The server: ingest, incidents, orders, API."""

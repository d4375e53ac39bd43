"""The encrypted warehouse: its schema, the one place a connection is opened, loading, publishing and access."""

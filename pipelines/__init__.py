"""The straight line as it is run: one function a word, the night that runs them, Dagster's skin over it, the CLI."""

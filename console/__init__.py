"""The web application on published marts and the decisions store: for those who work with what Tessera found, not with its code.

It reads marts and writes to the decisions store, never to the core, so that it serves while a night runs.
"""

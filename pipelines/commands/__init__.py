"""The commands of `tessera`, one module an area. They arrange and print; the work is done by the modules they call."""

"""Any source that no agency folder knows, by a YAML mapping alone: language.py checks it, mapping.py makes the feed."""

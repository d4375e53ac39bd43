"""The pages, one module an area; each declares them in PAGES and nothing lists the modules (console/routes.py)."""

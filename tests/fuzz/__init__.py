"""Everything the description of the API allows, and everything it does not, sent to a real service."""

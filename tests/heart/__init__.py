"""The heart is tested without a database: facts in, answers out."""

"""How long is too long: versioned limits. Every question names the version that answered it."""

"""Group robots: where they live (sealed), how each vendor wants to be spoken to, and the one module that speaks HTTP."""

"""Running the service: is today's work done, what is measured, what is wrong with this installation, what is let go of."""

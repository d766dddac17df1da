"""How is the Interop API read? Knows nothing of Prometheus."""

"""The client of the Interop API. It does not depend on Prometheus."""

"""Makes inputs for the fuzz tests, and says what the exporter may do with each of them."""

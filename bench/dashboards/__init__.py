"""Do the dashboards' queries work, and are they quick? See bench/README.md."""

"""Makes releases: the version, artefacts, checksums, and trials of what is released."""

"""Lists what the exporter is made of: the licences of its dependencies, its SBOM, and known vulnerabilities."""

"""Makes the files that compose.yaml mounts and that no other installation has."""

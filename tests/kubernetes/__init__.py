"""Tests the Helm chart, the manifests of kustomize and what the documentation says of them."""

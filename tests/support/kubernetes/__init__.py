"""Renders the Helm chart and the manifests of kustomize, and validates what comes out."""

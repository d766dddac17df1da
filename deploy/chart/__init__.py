"""Generates files of the Helm chart from the code: rules, dashboards, the schema of the values, the README."""

"""What do people look at? Four Grafana dashboards, made here and committed as JSON beside this code."""

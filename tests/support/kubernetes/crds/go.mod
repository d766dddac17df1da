module kimono-exporter/crds

go 1.19

// Not built: its folder `example` has the definitions of ServiceMonitor and PrometheusRule.
require github.com/prometheus-operator/prometheus-operator v0.85.0

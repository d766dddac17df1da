# What `pint --offline lint alerts` must not report, each with the reason. tests/alerts/test_pint.py runs it.

parser {
  include = ["alerts/kimono.rules.yaml", "alerts/kimono.prometheusrule.yaml"]
  # The groups of a PrometheusRule are below `spec`.
  relaxed = ["alerts/kimono.prometheusrule.yaml"]
}

# A Prometheus that has never scraped an exporter has no job to name. The description then says "kimono".
rule {
  match {
    name = "KimonoExporterDown"
  }
  disable = ["alerts/template"]
}

# The shards of an exporter hardly change: it does not matter that they are recorded up to a minute before.
rule {
  match {
    name = "kimono:ingestions_finished:increase5m"
  }
  disable = ["rule/dependency"]
}

# kimono:fleet_fault:ratio is compared with the threshold where it is recorded: there are samples only above it.
rule {
  match {
    name = "KimonoFleetSyncsOverdue|KimonoFleetIngestionsStalled|KimonoFleetIngestionsFailing"
  }
  disable = ["alerts/comparison"]
}

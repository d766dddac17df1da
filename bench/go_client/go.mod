module kimono-exporter/bench/go_client

go 1.22

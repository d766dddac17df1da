"""Backtest of the alerts: records a simulated fleet, replays it through Prometheus, and judges what fired."""

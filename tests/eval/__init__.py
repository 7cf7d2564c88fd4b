"""How well the decision's parts do on public data and in simulation; see docs/evaluation.md."""

"""Data: panels, policy registers, geography, readers, checks and simulated worlds."""

"""The report: what a run record says, as a paper would say it. Reads records only; computes no estimate."""

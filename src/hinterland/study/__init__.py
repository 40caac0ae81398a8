"""The study: a file that names data, policy, outcomes and methods; the steps it expands to; the record they leave."""

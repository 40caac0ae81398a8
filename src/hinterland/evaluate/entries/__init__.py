"""The register's entries, one file per family of estimators."""

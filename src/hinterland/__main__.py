"""``python -m hinterland``."""

from hinterland.cli.main import main

main()

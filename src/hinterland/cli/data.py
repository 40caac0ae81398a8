"""``hinterland data``: the packaged registers, geography and simulated worlds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hinterland.cli import options
from hinterland.cli.output import fail_if_many, refuse, save_frame, say, write, write_document, write_frame

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(help="Packaged data: policy registers, geography, simulated worlds.", invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def listing(ctx: typer.Context, as_json: options.Json = False) -> None:
    """List the packaged data."""
    if ctx.invoked_subcommand is not None:
        return
    from hinterland.study.packaged import listing as listed

    frame = listed()
    if as_json:
        write_document(frame.to_dicts())
    else:
        from hinterland.cli.output import plain_table

        write(plain_table(frame, width=100))


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A register or geography table: industrial-transfer-zones, cities, macro-region, …", show_default=False
        ),
    ],
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    file: options.File = None,
) -> None:
    """Show a packaged table."""
    from hinterland.study.packaged import table

    fail_if_many(json=as_json, csv=as_csv, output=file is not None)
    write_frame(table(name), as_csv=as_csv, as_document=as_json, file=file)


@app.command("simulate")
def simulate(
    name: Annotated[str, typer.Argument(metavar="WORLD", help="demonstration-zones", show_default=False)],
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where the panel is written (.csv, .parquet, .json); CSV to stdout without it.",
            show_default=False,
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="Where the true values are written.", show_default=False)
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs",
            metavar="DIR",
            help="Folder for the raw inputs (prices, employment, accounts, patents, …), one .parquet each; made if it is not there.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every draw.")] = 0,
    units: Annotated[
        int | None, typer.Option("--units", help="Number of cities; the 293 real ones by default.", show_default=False)
    ] = None,
    periods: Annotated[int | None, typer.Option("--periods", help="Number of years; 15 by default.", show_default=False)] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A parameter of the world: effect=0, pretrend=0.02; may be repeated.", show_default=False
        ),
    ] = None,
) -> None:
    """Simulate a world whose every effect is known."""
    from hinterland.data.world import simulate as make

    sizes = {k: v for k, v in (("units", units), ("periods", periods)) if v is not None}
    world = make(name, seed, **sizes, **_numbers(parameters or []))  # type: ignore[arg-type]  # the world checks names and values
    say(repr(world))
    if truth is not None:
        save_frame(world.truth, truth, world.truth.to_dicts)
        say(f"wrote {truth}")
    if inputs is not None:
        _save_inputs(world.inputs, inputs)
    if file is None:
        write(world.panel.frame.write_csv())
    else:
        save_frame(world.panel.frame, file, world.panel.frame.to_dicts)
        say(f"wrote {file}")


def _save_inputs(inputs: Mapping[str, pl.DataFrame], folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        refuse("not-a-folder", f"{str(folder)!r} is a file", f"--inputs {folder}", "name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in inputs.items():
        save_frame(frame, folder / f"{name}.parquet", frame.to_dicts)
    say(f"wrote {len(inputs)} tables to {folder}")


def _numbers(texts: list[str]) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = int(value) if value.strip().lstrip("-").isdigit() else float(value)
        except ValueError:
            refuse(
                "not-a-number",
                f"--set {text} gives no number",
                "--set",
                "write NAME=NUMBER, such as effect=0" if equals else "write NAME=VALUE",
            )
    return found

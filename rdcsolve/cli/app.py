"""The commands, put together."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from rdcsolve.cli.audit import audit
from rdcsolve.cli.demo import demo
from rdcsolve.cli.figure import figure
from rdcsolve.cli.info import info
from rdcsolve.cli.neural import neural
from rdcsolve.cli.one_shot import one_shot
from rdcsolve.cli.region import region
from rdcsolve.cli.solve import solve
from rdcsolve.cli.sweep import sweep
from rdcsolve.cli.tradeoff import tradeoff
from rdcsolve.cli.universal import universal
from rdcsolve.cli.verify import verify


class OnceEach(TyperCommand):
    """A command whose options are given once, unless they may be repeated: the parser would keep the last one only."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the words typed, after options."""
        order: list[Any] = self.make_parser(ctx).parse_args(args=list(args))[2]
        for param in order:
            if not getattr(param, "multiple", True) and order.count(param) > 1:
                raise typer.BadParameter("it is given more than once; give it once", ctx=ctx, param=param)
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="rdcsolve",
    help="Certified rate-distortion-classification functions of finite sources. Information is in nats, or in bits "
    "where --bits asks for it. Commands exit with 0 when the answer is certified, 1 when it is not (or the limits "
    "cannot be met, or a certificate is refuted), 2 on bad input, and 130 when interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from rdcsolve import __version__

        typer.echo(f"rdcsolve {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for _command in (demo, solve, sweep, tradeoff, universal, region, one_shot, audit, figure, verify, info):
    app.command(cls=OnceEach)(_command)
app.add_typer(neural)

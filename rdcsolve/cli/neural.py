"""``rdcsolve neural``: the paper's experiment on images, and single systems."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from rdcsolve.cli.files import check_targets, draw_into
from rdcsolve.cli.outcomes import told_plainly
from rdcsolve.cli.points import ProgressBar, report
from rdcsolve.cli.screen import console, table
from rdcsolve.errors import InvalidInput
from rdcsolve.writing import held

neural = typer.Typer(
    name="neural",
    help="Train compression systems on images, reuse their encoders, and set them beside the solver's limit. Needs the "
    "extra neural.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(show_default=False, help="Where the experiment is kept.")]
Data = Annotated[
    Path | None, typer.Option(help="Folder of the images.", show_default="the environment variable RDCSOLVE_DATA")
]
Dataset = Annotated[str, typer.Option(help="mnist, fashion-mnist, or any other in their file format.")]
PresetName = Annotated[str, typer.Option("--preset", help="paper, expected, cpu or smoke: networks and schedule.")]
Dimension = Annotated[int, typer.Option(help="h: numbers that an encoder sends.")]
Levels = Annotated[int, typer.Option(help="L: values of each; the rate is at most h log2 L bits.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU where there is one.")]
Download = Annotated[bool, typer.Option("--download", help="Fetch images that are missing from public mirrors.")]
SystemFile = Annotated[Path, typer.Argument(show_default=False, help="File of a system.")]
_PICTURES = ("figure_6.png", "reconstructions.png")


@neural.command()
@told_plainly
def run(
    folder: Folder,
    data: Data = None,
    dataset: Dataset = "mnist",
    preset: PresetName = "cpu",
    dimension: Dimension = 3,
    levels: Levels = 3,
    lambda_c: Annotated[
        str, typer.Option(metavar="VALUES", help="Weights of the cross-entropy.")
    ] = "0,0.001,0.0033,0.0066,0.008,0.011,0.013,0.015",
    lambda_p: Annotated[
        str, typer.Option(metavar="VALUES", help="Weights of the Wasserstein term; 0 for no runs with it.")
    ] = "0.005",
    lambda_c_with_w1: Annotated[
        str, typer.Option("--lambda-c-with-w1", metavar="VALUES", help="Weights of the cross-entropy beside it.")
    ] = "0,0.0033,0.008,0.015",
    repeat: Annotated[
        str, typer.Option(metavar="VALUES", help="Weights of the cross-entropy that are run with every seed.")
    ] = "0,0.0033,0.015",
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    processes: Annotated[int, typer.Option(help="Each with one thread.")] = 2,
    device: Device = "cpu",
    download: Download = False,
    progress: ProgressBar = False,
) -> None:
    """Train and measure all systems of Figure 6: conventional ones, and universal decoders for two of their encoders.

    Interrupt it at will: the same command goes on from there. See the numbers with `rdcsolve neural show`.
    """
    from rdcsolve.neural import Experiment, run_experiment
    from rdcsolve.neural.presets import preset_of

    experiment = Experiment(
        dataset=dataset,
        preset=preset_of(preset),
        dimension=dimension,
        levels=levels,
        lambdas_c=_numbers(lambda_c, "--lambda-c"),
        lambda_p=_numbers(lambda_p, "--lambda-p"),
        lambdas_c_with_w1=_numbers(lambda_c_with_w1, "--lambda-c-with-w1"),
        lambdas_c_repeated=_numbers(repeat, "--repeat"),
        n_seeds=seeds,
    )
    if download:
        _fetch(data, dataset)
    results = run_experiment(experiment, folder, data, processes=processes, device=device, progress=progress)
    typer.echo(f"{len(results)} systems are in {folder}")


@neural.command()
@told_plainly
def limit(
    folder: Folder,
    data: Data = None,
    points: Annotated[int, typer.Option(help="Points of the limit's curve.")] = 9,
    progress: ProgressBar = False,
) -> None:
    """Compute the certified limit at the experiment's rate, and where each trained system stands beside it.

    Exit code: 0 if every point of the limit is certified, 1 if not, 2 on bad input.
    """
    from rdcsolve.neural import limit_curve, standings
    from rdcsolve.neural.limit import CURVE

    curve = limit_curve(folder, data, n_points=points, progress=progress)
    standings(folder, data, progress=progress)
    _show_standings(folder)
    report(curve, folder / CURVE, None)


@neural.command()
@told_plainly
def show(
    folder: Folder,
    data: Data = None,
    plot: Annotated[bool, typer.Option(help="Draw figure_6.png and reconstructions.png into the folder.")] = True,
) -> None:
    """Print what an experiment measured, and draw it."""
    from rdcsolve.neural import read_results

    results = read_results(folder)
    if plot:
        check_targets(*(folder / name for name in _PICTURES))
    screen = console()
    columns = [
        "MSE per pixel",
        "cross-entropy",
        "accuracy",
        "W1 (critic)",
        "sliced W2^2",
        "messages [bit]",
        "given dither",
    ]
    shown = table(screen, "measures on test images, ± half the 95 % interval", "run", *columns, text=1)
    for name, found in results.items():
        measures = found["measures"]
        kinds = [measures[key] for key in ("message_entropy", "coded_rate") if key in measures]
        entropies = [tuple(value / math.log(2) for value in one) for one in kinds]
        cells = [measures[key] for key in ("mse", "cross_entropy", "accuracy", "w1", "sliced_w2")]
        shown.add_row(name, *[_interval(cell) for cell in [*cells, *entropies]])
    screen.print(shown)
    _show_standings(folder)
    if plot:
        _draw(folder, data)


@neural.command()
@told_plainly
def train(
    file: SystemFile,
    classifier: Annotated[Path, typer.Option(help="File of the classifier; trained and saved there if it is new.")],
    data: Data = None,
    dataset: Dataset = "mnist",
    preset: PresetName = "cpu",
    dimension: Dimension = 3,
    levels: Levels = 3,
    lambda_d: Annotated[float, typer.Option(help="Weight of the squared error per pixel.")] = 1.0,
    lambda_c: Annotated[float, typer.Option(help="Weight of the cross-entropy.")] = 0.0,
    lambda_p: Annotated[float, typer.Option(help="Weight of the Wasserstein term.")] = 0.0,
    encoder: Annotated[
        Path | None, typer.Option(help="File of a system whose encoder is reused as it is.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of parameters, images' order and dither.")] = 0,
    device: Device = "cpu",
    download: Download = False,
    progress: ProgressBar = False,
) -> None:
    """Train one system, or a new decoder for the encoder of another one.

    Interrupt it at will: the same command goes on from the last epoch, kept in FILE.partial.
    """
    import rdcsolve.neural as systems

    settings = systems.PRESETS.get(preset)
    if settings is None:
        raise InvalidInput(f"--preset {preset!r} is unknown; choose one of {', '.join(systems.PRESETS)}")
    weights = systems.Weights(lambda_d, lambda_c, lambda_p)
    quantiser = systems.Quantiser(dimension, levels)
    systems.device_of(device)
    check_targets(file, classifier)
    reused = None if encoder is None else systems.load_system(encoder)
    if download:
        _fetch(data, dataset)
    images = systems.load_images("train", data, dataset=dataset, n=settings.n_train)
    with held(file, "trains it"):
        judge = systems.train_classifier(images, settings, path=classifier, device=device)
        partial = file.with_name(file.name + ".partial")
        try:
            system = systems.train(
                images,
                judge,
                weights,
                settings,
                dimension=quantiser.dimension,
                levels=quantiser.levels,
                encoder=reused,
                seed=seed,
                checkpoint=partial,
                device=device,
                progress=progress,
            )
        except KeyboardInterrupt as interrupt:
            if partial.exists():
                interrupt.add_note(f"finished epochs are kept in {partial}; run again to go on")
            raise
        system.save(file)
        partial.unlink(missing_ok=True)
    typer.echo(f"saved {file}: {system!r}")


@neural.command()
@told_plainly
def evaluate(
    file: SystemFile,
    classifier: Annotated[Path, typer.Option(help="File of the classifier, as `train` saved it.")],
    data: Data = None,
    dataset: Dataset = "mnist",
) -> None:
    """Measure one system on test images."""
    import rdcsolve.neural as systems

    system = systems.load_system(file)
    if not classifier.exists():
        raise InvalidInput(f"{classifier} does not exist; give the file that `rdcsolve neural train` made")
    images = systems.load_images("train", data, dataset=dataset, n=system.preset.n_train)
    judge = systems.train_classifier(images, system.preset, path=classifier)
    test_images = systems.load_images("test", data, dataset=dataset, n=system.preset.n_test)
    screen = console()
    shown = table(screen, repr(system), "measure", "value ± half the 95 % interval", text=1)
    for name, estimate in systems.evaluate(system, test_images, judge).items():
        shown.add_row(name, _interval(estimate))
    screen.print(shown)


def _fetch(data: Path | None, dataset: str) -> None:
    from rdcsolve.data.idx import image_arrays

    for part in ("train", "test"):
        image_arrays(part, data, dataset=dataset, download=True)


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(value) for value in text.split(",") if value.strip())
    except ValueError:
        raise InvalidInput(f"{option} {text!r} is not a list of numbers; write for instance 0,0.0033,0.015") from None


def _interval(estimate: Any) -> str:
    value, low, high = estimate
    return "-" if math.isnan(value) else f"{value:.4f} ± {(high - low) / 2:.4f}"


def _outwards(lower: float, upper: float) -> str:
    """Return bounds with four digits that enclose them; an upper bound that is not known is left out."""
    above = "?" if math.isnan(upper) else f"{math.ceil(upper * 1e4) / 1e4:.4f}"
    return f"{math.floor(lower * 1e4) / 1e4:.4f}-{above}"


def _show_standings(folder: Path) -> None:
    from rdcsolve.neural import read_codebook, read_standings

    standings = read_standings(folder)
    if not standings:
        return
    screen = console()
    title = "beside the limit: MSE per pixel at the system's cross-entropy, the limit between certified bounds"
    columns = ["cross-entropy", "MSE", "best decoder", "limit", "decoder gap", "encoder gap"]
    shown = table(screen, title, "run", *columns, "I(X;Z) [bit]", "MMSE", "H(S|Z)", text=1)
    for one in standings:
        limit = _outwards(one.limit_lower, one.limit_upper)
        ends = [f"{number:.4f}" for number in (one.mse, one.encoder_mse)]
        cells = [*ends, limit, *(f"{number:.4f}" for number in (one.decoder_gap, one.encoder_gap))]
        rate = f"{one.rate / math.log(2):.3f}"
        shown.add_row(one.name, f"{one.cross_entropy:.3f}", *cells, rate, f"{one.mmse:.4f}", f"{one.label_entropy:.3f}")
    screen.print(shown)
    codebook = read_codebook(folder)
    if codebook:  # computed last
        typer.echo(
            f"vector quantiser by k-means: MSE {codebook['distortion']:.4f}, cross-entropy "
            f"{codebook['cross_entropy']:.3f} at {codebook['rate'] / math.log(2):.3f} bit"
        )


def _draw(folder: Path, data: Path | None) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from rdcsolve.neural import figure_6, reconstructions

    for name, figure in zip(_PICTURES, (figure_6(folder), reconstructions(folder, data)), strict=True):
        path = folder / name
        try:
            draw_into(path, figure, dpi=150, bbox_inches="tight")
        finally:
            pyplot.close(figure)
        typer.echo(f"saved {path}")

"""``labelfree predict``: the fluorescence that a stain would have shown, from a transmitted-light image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    ProgressLine,
    Verbs,
    add_image_options,
    add_json,
    add_yes,
    load,
    load_aloud,
    note,
    output_path,
    say,
    say_json,
    wanted_from,
)

if TYPE_CHECKING:
    from labelfree_core.images.stack import ImageStack
    from labelfree_core.inference.options import PredictOptions
    from labelfree_core.inference.prediction import Prediction
    from labelfree_core.models.store import ModelEntry


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("predict", help="predict fluorescence", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="image with a transmitted-light channel")
    parser.add_argument(
        "--model", required=True, metavar="ID|PATH", help="see `labelfree models`; or a model.p"
    )
    add_image_options(parser)
    add_yes(parser)
    parser.add_argument("--output", metavar="OUT.ome.tif", help="default: FILE's name and the model's, here")
    parser.add_argument("--sheet", metavar="OUT.png", help="also draw the result as one page")
    parser.add_argument("--observed-channel", metavar="NAME|INDEX", help="the stain in FILE, for --sheet")
    parser.add_argument(
        "--recipe", metavar="OUT.json", help="also write how it was made; see `labelfree rerun`"
    )
    add_run_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide how a network runs."""
    parser.add_argument("--grid", choices=("input", "model"), default="input", help="voxels of the result")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument(
        "--fit", choices=("pad", "crop"), default="pad", help="crop: centre crop, with --grid model"
    )
    parser.add_argument(
        "--engine", choices=("torch", "preview"), default="torch", help="preview: quicker, not for measuring"
    )
    parser.add_argument("--memory-mb", type=int, metavar="MB", help="limit of working memory")


def run(arguments: argparse.Namespace) -> None:
    """Predict one structure in one image."""
    from labelfree_core.images.writing import write_bytes, write_stack
    from labelfree_core.models.store import find_model
    from labelfree_core.reports.recipe import recipe, to_json

    entry = find_model(arguments.model)
    plain = Path(arguments.file).name.split(".")[0]
    output = output_path(arguments.output or f"{plain}_{entry.card.id}.ome.tif", arguments.file)
    sheet = output_path(arguments.sheet, arguments.file) if arguments.sheet else None
    loaded = load_aloud(arguments.file, wanted_from(arguments, propose="transmitted"), need_size=True)
    prediction = predicted(loaded.stack, entry, arguments)
    document = recipe(prediction, reading=loaded.reading)
    write_stack(output, prediction.stack, provenance=document)
    if arguments.recipe:
        write_bytes(arguments.recipe, to_json(document).encode())
    if sheet:
        _draw(sheet, loaded.stack, prediction, arguments)
    for sentence in prediction.notes:
        note(sentence)
    if arguments.json:
        say_json({"output": str(output), **summary(prediction), "recipe": document})
    else:
        seconds = prediction.seconds.get("total", 0.0)
        say(f"{output}: {prediction.structure}, {prediction.units}, {seconds:.1f} s on {prediction.device}")


def options_from(arguments: argparse.Namespace) -> PredictOptions:
    """Collect the options that decide how a network runs."""
    from labelfree_core.inference.options import PredictOptions

    return PredictOptions(
        device=arguments.device,
        grid=arguments.grid,
        fit=arguments.fit,
        engine=arguments.engine,
        memory_bytes=None if arguments.memory_mb is None else arguments.memory_mb * 1_000_000,
    )


def predicted(stack: ImageStack, model: ModelEntry, arguments: argparse.Namespace) -> Prediction:
    """Run the network with the options of the command line and a line of progress."""
    from labelfree_core.inference.predict import predict

    line = ProgressLine(stack.origin.name)
    try:
        return predict(stack, model, options=options_from(arguments), progress=line)
    finally:
        line.close()


def summary(prediction: Prediction) -> dict[str, object]:
    """Describe a prediction in JSON-ready values."""
    return {
        "structure": prediction.structure,
        "model_id": prediction.model_id,
        "model_sha256": prediction.model_sha256,
        "input": prediction.origin.name,
        "input_sha256": prediction.origin.sha256,
        "channel": {"index": prediction.origin.channel_index, "name": prediction.origin.channel_name},
        "simulated": prediction.origin.simulated,
        "axes": prediction.stack.axes,
        "shape": list(prediction.voxels.shape),
        "voxel_size_um": list(prediction.voxel_size_um),
        "grid": prediction.grid,
        "units": prediction.units,
        "device": prediction.device,
        "seconds": prediction.seconds,
        "notes": list(prediction.notes),
    }


def _draw(path: Path, stack: ImageStack, prediction: Prediction, arguments: argparse.Namespace) -> None:
    from dataclasses import replace

    from labelfree_core.images.writing import write_bytes
    from labelfree_core.reports.sheet import result_sheet

    observed = None
    if arguments.observed_channel is not None:
        wanted = replace(wanted_from(arguments), channel=arguments.observed_channel)
        observed = load(arguments.file, wanted)
    write_bytes(path, result_sheet(stack, prediction, observed=observed))

"""``labelfree rerun``: make a prediction again, from its recipe or from the predicted file itself."""

from __future__ import annotations

import argparse

from labelfree_core.commands.common import ProgressLine, Verbs, add_json, note, output_path, say, say_json


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("rerun", help="make a prediction again", description=__doc__)
    parser.add_argument("recipe", metavar="RECIPE", help="recipe.json, or the predicted OME-TIFF")
    parser.add_argument("file", metavar="FILE", help="the image")
    parser.add_argument("--output", required=True, metavar="OUT.ome.tif")
    parser.add_argument(
        "--other-image", action="store_true", help="apply the recipe to an image it is not of"
    )
    parser.add_argument(
        "--model", metavar="PATH", help="where the model is, if `labelfree models` lists it not"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Make one prediction again."""
    from labelfree_core.commands.predict import summary
    from labelfree_core.images.writing import write_stack
    from labelfree_core.reports.recipe import read_recipe, recipe, rerun

    output = output_path(arguments.output, arguments.recipe, arguments.file)
    document = read_recipe(arguments.recipe)
    line = ProgressLine()
    try:
        made = rerun(
            document,
            arguments.file,
            same_image=not arguments.other_image,
            model=arguments.model,
            progress=line,
        )
    finally:
        line.close()
    reading = document.get("reading")
    again = recipe(made, reading=reading if isinstance(reading, dict) else None)
    write_stack(output, made.stack, provenance=again)
    for sentence in made.notes:
        note(sentence)
    if arguments.json:
        say_json({"output": str(output), **summary(made), "recipe": again})
    else:
        say(f"{output}: {made.structure}, {made.units}, {made.seconds.get('total', 0.0):.1f} s")

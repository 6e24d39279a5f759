"""Write the settlement models' parts of docs/game-definition.schema.json from the models themselves.

    python tests/tools/make_game_schema.py            writes the file
    python tests/tools/make_game_schema.py --check    fails when the file is not what would be written

Everything else in the file (steps, programs, common definitions) is written by hand.
"""

import argparse
import json
import sys
from pathlib import Path

from rng_service.games.models import MODELS

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "game-definition.schema.json"


def with_models(schema: dict) -> dict:
    """Return ``schema`` with the definitions of all models, and only those, under their names."""
    definitions = schema["$defs"]
    program = definitions["program"]["properties"]
    for option in program["settlement"]["anyOf"]:
        definitions.pop(option["$ref"].rpartition("/")[2], None)
    for name, kind in sorted(MODELS.items()):
        if name in definitions:
            raise SystemExit(f"{SCHEMA.name}: a model cannot be called {name}, as a definition of the schema is")
        rest = dict(kind.schema)
        definitions[name] = {
            "type": "object",
            "additionalProperties": False,
            "required": ["model", *rest.pop("required")],
            "properties": {"model": {"const": name}, **rest.pop("properties")},
            **rest,
        }
    program["settlement"]["anyOf"] = [{"$ref": f"#/$defs/{name}"} for name in sorted(MODELS)]
    return schema


def main() -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    written = SCHEMA.read_text(encoding="ascii")
    wanted = json.dumps(with_models(json.loads(written)), indent=2) + "\n"
    if arguments.check and written != wanted:
        sys.stderr.write("docs/game-definition.schema.json: run python tests/tools/make_game_schema.py\n")
        return 1
    if not arguments.check:
        SCHEMA.write_text(wanted, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())

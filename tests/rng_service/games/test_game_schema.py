"""The published JSON Schema says no more and no less than the parser, as far as a schema can say it."""

import copy
import json
import re

import pytest
from game_samples import LARGE_SAMPLES, ROOT, SAMPLES, SHIPPED, parsed
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import GameError
from rng_service.games.models import MODELS
from rng_service.games.steps import STEP_NAMES

SCHEMA = json.loads((ROOT / "docs" / "game-definition.schema.json").read_text())
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}


def holds(schema, value):
    """Evaluate the keywords that our schema uses; an unknown keyword fails the test instead of passing it."""
    return all(KEYWORDS[word](schema, value) for word in schema if word not in ANNOTATIONS)


def _type(schema, value):
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    return isinstance(value, kinds[schema["type"]]) and isinstance(value, bool) == (schema["type"] == "boolean")


def _ref(schema, value):
    return holds(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], value)


def _members(schema, value):
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", {})
    return not isinstance(value, dict) or all(
        holds(known[key], item) if key in known else rest is not False and holds(rest, item)
        for key, item in value.items()
    )


def on(kind, check):
    return lambda schema, value: not isinstance(value, kind) or check(schema, value)


KEYWORDS = {
    "$ref": _ref,
    "type": _type,
    "const": lambda schema, value: value == schema["const"] and type(value) is type(schema["const"]),
    "enum": lambda schema, value: value in schema["enum"],
    "anyOf": lambda schema, value: any(holds(option, value) for option in schema["anyOf"]),
    "properties": _members,
    "additionalProperties": _members,
    "required": on(dict, lambda schema, value: all(key in value for key in schema["required"])),
    "dependentRequired": on(
        dict,
        lambda schema, value: all(
            other in value for key, others in schema["dependentRequired"].items() if key in value for other in others
        ),
    ),
    "propertyNames": on(dict, lambda schema, value: all(holds(schema["propertyNames"], key) for key in value)),
    "minProperties": on(dict, lambda schema, value: len(value) >= schema["minProperties"]),
    "maxProperties": on(dict, lambda schema, value: len(value) <= schema["maxProperties"]),
    "items": on(list, lambda schema, value: all(holds(schema["items"], item) for item in value)),
    "minItems": on(list, lambda schema, value: len(value) >= schema["minItems"]),
    "maxItems": on(list, lambda schema, value: len(value) <= schema["maxItems"]),
    "uniqueItems": on(list, lambda schema, value: len({json.dumps(item) for item in value}) == len(value)),
    "minimum": on(int, lambda schema, value: value >= schema["minimum"]),
    "maximum": on(int, lambda schema, value: value <= schema["maximum"]),
    "pattern": on(str, lambda schema, value: re.search(schema["pattern"].replace("$", r"\Z"), value)),
}


def accepted(value):
    try:
        parsed(value)
    except GameError:
        return False
    return True


def objects(value, path=()):
    """Yield the path of every object below ``value``."""
    if isinstance(value, dict):
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield from objects(item, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


VALID = [json.loads(path.read_text()) for path in SHIPPED] + [make() for make in (SAMPLES | LARGE_SAMPLES).values()]
NAMES = [path.stem for path in SHIPPED] + list(SAMPLES | LARGE_SAMPLES)


@pytest.mark.parametrize("value", VALID, ids=NAMES)
def test_schema_and_parser_accept_every_game(value):
    assert holds(SCHEMA, value)
    assert accepted(value)


@pytest.mark.parametrize("value", VALID, ids=NAMES)
def test_schema_and_parser_refuse_an_unknown_key_in_every_object(value):
    for path in objects(value):
        bent = copy.deepcopy(value)
        at(bent, path)["No such key!?****"] = 1
        assert not holds(SCHEMA, bent), path
        assert not accepted(bent), path


@pytest.mark.parametrize("value", VALID, ids=NAMES)
def test_schema_and_parser_refuse_a_missing_fixed_key(value):
    for path in [(), ("programs", "base"), ("programs", "base", "steps", 0)]:
        for key in at(value, path):
            if key in {"count", "play_classes"}:
                continue
            bent = copy.deepcopy(value)
            del at(bent, path)[key]
            assert not holds(SCHEMA, bent), (path, key)
            assert not accepted(bent), (path, key)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**66),
    st.floats(0, 9),
    st.sampled_from(["", "1", "0", "1/2", "0.95", "x", "A", "real", "free", "table", str(2**63)]),
    st.just([]),
    st.just({}),
)


@given(st.sampled_from(VALID[len(SHIPPED) :]), st.data())
def test_whatever_the_parser_accepts_the_schema_accepts(value, data):
    bent = copy.deepcopy(value)
    place = at(bent, data.draw(st.sampled_from(list(objects(bent)))))
    key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(VALUES)
    if accepted(bent):
        assert holds(SCHEMA, bent)


def test_schema_and_code_know_the_same_steps_and_models():
    options = SCHEMA["$defs"]["program"]["properties"]
    steps = [option["$ref"].split("/")[-1] for option in options["steps"]["items"]["anyOf"]]
    names = [SCHEMA["$defs"][step]["properties"]["step"]["const"] for step in steps]
    assert sorted(names) == sorted(STEP_NAMES)
    names = [option["$ref"].split("/")[-1] for option in options["settlement"]["anyOf"]]
    assert sorted(names) == sorted(MODELS)

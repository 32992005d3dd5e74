"""Make the JSON schema of a configuration file."""

from typing import Any

from anytime_pruning import datasets  # noqa: F401  (sources of datasets register themselves)
from anytime_pruning.foundation.fields import json_schema_of
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.settings.grid import NOT_IN_A_GRID
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.settings.study import Study

JsonSchema = dict[str, Any]


def study_schema() -> JsonSchema:
    """Return the JSON schema of a configuration file, with the settings of runs and of every dataset source."""
    run = json_schema_of(RunSettings)
    schema = json_schema_of(Study)
    schema["$defs"] = {
        "ExecutionSettings": run["$defs"]["ExecutionSettings"],
        "entry": _entry_schema(run["properties"]),
    }
    schema["properties"]["execution"] = {"$ref": "#/$defs/ExecutionSettings"}
    schema["properties"]["defaults"] = {"$ref": "#/$defs/entry"}
    schema["properties"]["grid"]["items"] = {"$ref": "#/$defs/entry"}
    schema["properties"]["datasets"] = {"type": "object", "additionalProperties": {"anyOf": _source_schemas()}}
    return schema


def _entry_schema(settings: dict[str, JsonSchema]) -> JsonSchema:
    """Return the schema of a grid entry, which has a value or a list of values for each setting of a run."""
    properties = {}
    for key, field in settings.items():
        if key == "dataset":
            field = {"type": "string", "description": field.get("description", "")}
        if key not in NOT_IN_A_GRID:
            properties[key] = {"anyOf": [field, {"type": "array", "items": field, "minItems": 1}]}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _source_schemas() -> list[JsonSchema]:
    """Return the schema of every dataset source, without the name, which is the key of the entry in `datasets`."""
    sources = [json_schema_of(lookup("dataset", name)) for name in names("dataset")]
    for source in sources:
        source["required"] = [key for key in source.get("required", []) if key != "name"]
    return sources

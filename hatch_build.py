"""The build hook: an editable install finds the generated gRPC modules where they are, and keeps no copy of them."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """A copy beside the tree would go on being imported after `make protos` wrote new modules."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Include only the shipped games in an editable install; the rest comes from `dev-mode-dirs`."""
        if version == "editable":
            build_data["force_include_editable"] = {"games": "rng_service/demo/games"}

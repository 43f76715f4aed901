"""Keys of packs with nothing below them, as they are left when every item is commented out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, model_validator


class EmptyLists(BaseModel):
    """A model of which a list, or names, may be empty, and may then be written as nothing at all."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_an_empty_list(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or not cls._is_list(key)}

    @classmethod
    def _is_list(cls, key: object) -> bool:
        field = cls.model_fields.get(str(key))
        return field is not None and field.get_default(call_default_factory=True, validated_data={}) in (
            (),
            {},
        )

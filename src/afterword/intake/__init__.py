"""From the outside world to definitions and facts: what is malformed is named, the rest is kept.

- `definitions`: campaigns with their conversion events, from YAML, JSON or Python
- `definition_files`, `definition_fields`, `definition_filters`, `definition_forms`: its parts
"""

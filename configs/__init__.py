"""Workflow files: spec, loader, JSON Schema, shipped YAML. The only folder that imports yaml."""

"""Planloom: a big model plans, mini models execute, a router escalates on evidence."""

"""Repairs of an image's file, without booting or mounting it: only what can be proven to be safe is changed."""

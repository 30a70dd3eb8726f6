"""Benchmarks: predict, explain, discover, falsify, and the founding panel."""

"""Fluentd: what collects audit records on every node and ships them to the sinks."""

# METADATA
# title: What OPA itself answers to over HTTP
# description: Whether it is healthy, and its metrics. Nobody reads or changes policies or data there.
package system.authz

default allow := false

# METADATA
# entrypoint: true
allow if {
	input.method == "GET"
	input.path[0] in {"health", "metrics"}
}

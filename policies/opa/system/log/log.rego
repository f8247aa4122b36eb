# METADATA
# title: What a decision log may hold
# description: |
#   An allow-list: the request is replaced by the few facts that are no secret and name nobody. It is loaded beside the
#   bundle, not from it, so that a token is not written while there is no bundle either.
package system.log

# METADATA
# entrypoint: true
mask contains {"op": "upsert", "path": "/input", "value": facts}

# Each with its whole path: a function for them would be called three times for every request.
facts := {
	"method": object.get(input, ["input", "attributes", "request", "http", "method"], ""),
	"request_id": object.get(input, ["input", "attributes", "request", "http", "headers", "x-request-id"], ""),
	"tls_version": object.get(input, ["input", "attributes", "request", "http", "headers", "x-palisade-tls-version"], ""),
}

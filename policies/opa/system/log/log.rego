# METADATA
# title: What a decision log may hold
# description: |
#   An allow-list: the request is replaced by the few facts that are no secret and name nobody. It is loaded beside the
#   bundle, not from it, so that a token is not written while there is no bundle either.
package system.log

# METADATA
# entrypoint: true
mask contains {"op": "upsert", "path": "/input", "value": facts}

facts := {
	"method": asked(["method"]),
	"request_id": asked(["headers", "x-request-id"]),
	"tls_version": asked(["headers", "x-palisade-tls-version"]),
}

asked(place) := object.get(input, array.concat(["input", "attributes", "request", "http"], place), "")

# The least that decides as policies/api does: the tests here are about Envoy, those of the policy are beside it.
package api.compliance

http := input.attributes.request.http

claims := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].claims

operation := found if {
	some found in data.operations
	found.method == http.method
	regex.match(found.pattern, split(http.path, "?")[0])
}

default outcome := {"status": 404, "rule": "unregistered"}

outcome := {"status": 400, "rule": "mandatory_header"} if {
	operation
	missing_header
} else := {"status": 403, "rule": "tls"} if {
	operation.minimum_tls == "1.3"
	http.headers["x-palisade-tls-version"] != "TLSv1.3"
} else := {"status": 403, "rule": "role"} if {
	operation
	count({role | some role in operation.roles} & {role | some role in claims.roles}) == 0
} else := {"status": 200, "rule": "allowed"} if {
	operation
}

missing_header if {
	some name in data.required_headers
	not http.headers[name]
}

decision := {
	"allowed": outcome.status == 200,
	"http_status": outcome.status,
	"headers": {"content-type": "application/json"},
	"body": json.marshal({"error": outcome.rule}),
	"dynamic_metadata": {
		"rule": outcome.rule,
		"route": object.get(operation_or_empty, "path", ""),
		"bundle_revision": "test",
	},
}

default operation_or_empty := {}

operation_or_empty := operation

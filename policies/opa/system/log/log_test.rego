package system.log_test

import data.system.log

test_only_facts_are_left if {
	event := {"input": {
		"attributes": {
			"request": {"http": {
				"method": "GET",
				"path": "/v1/customers/4711?token=secret",
				"headers": {"authorization": "Bearer secret", "x-request-id": "r-1", "x-palisade-tls-version": "TLSv1.3"},
			}},
			"metadataContext": {"filterMetadata": {"envoy.filters.http.jwt_authn": {"claims": {"sub": "secret"}}}},
		},
		"parsed_query": {"token": ["secret"]},
	}}
	log.mask == {{
		"op": "upsert",
		"path": "/input",
		"value": {"method": "GET", "request_id": "r-1", "tls_version": "TLSv1.3"},
	}} with input as event
}

# What is missing must not keep the rest from being replaced.
test_an_empty_event_is_replaced_too if {
	log.mask == {{
		"op": "upsert",
		"path": "/input",
		"value": {"method": "", "request_id": "", "tls_version": ""},
	}} with input as {}
}

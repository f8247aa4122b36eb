# Every rule with a request that it lets through and one that it does not.
package api.compliance_test

import data.api.compliance

# --- what is registered -----------------------------------------------------------------------------------------------

records := {
	"is_served": true,
	"route": "/v1/finance/records",
	"place": "/v1/finance/records",
	"roles": {"compliance_officer": true},
	"attributes": {},
	"tls_versions": {"TLSv1.3": true},
	"response_headers": {},
}

summary := {
	"is_served": true,
	"route": "/v1/finance/summary",
	"place": "/v1/finance/summary",
	"roles": {"analyst": true, "compliance_officer": true},
	"attributes": {"department": {"finance": true, "audit": true}, "site": {"vienna": true}},
	"tls_versions": {"TLSv1.2": true, "TLSv1.3": true},
	"response_headers": {},
}

record := object.union(summary, {
	"route": "/v1/finance/records/{record}",
	"place": "/v1/finance/records/{}",
	"attributes": {},
})

registry := {
	"exact": {"GET": {
		"/": object.union(record, {"route": "/"}),
		"/v1/finance/records": records,
		"/v1/finance/summary": summary,
		"/v1/customers/list": object.union(record, {"route": "/v1/customers/list"}),
		"/v0/finance/records": object.union(records, {
			"route": "/v0/finance/records",
			"response_headers": {"Deprecation": "@1735689600"},
		}),
		"/v00/finance/records": object.union(records, {"is_served": false, "route": "/v00/finance/records"}),
	}},
	"templates": {
		"GET": {
			"/v1/finance/records/{}": record,
			"/v1/customers/{}": object.union(record, {"route": "/v1/customers/{customer}"}),
			"/v1/{}/orders": object.union(record, {"route": "/v1/{kind}/orders"}),
			"/v1/customers/{}/orders/{}": object.union(record, {"route": "/v1/customers/{customer}/orders/{order}"}),
			"/v1/customers/{}/orders/last": object.union(record, {"route": "/v1/customers/{customer}/orders/last"}),
		},
		"PUT": {"/v1/customers/{}": object.union(records, {"route": "/v1/customers/{customer}"})},
	},
	"shapes": {
		"GET": [
			[], [], [], [],
			[[hole("3")], [hole("2")]],
			[[hole("4")]],
			[[hole("3")], [hole("3"), hole("5")]],
		],
		"PUT": [[], [], [], [], [[hole("3")]]],
	},
}

hole(position) := {"op": "replace", "path": concat("", ["/", position]), "value": "{}"}

required_headers := [
	{"name": "x-request-id", "pattern": `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`},
	{"name": "x-purpose", "pattern": `^[!-~]`},
]

bundles := {"api": {"manifest": {"revision": "r1"}}}

# --- requests ---------------------------------------------------------------------------------------------------------

officer := {"sub": "one", "roles": ["compliance_officer"]}

analyst := {"sub": "two", "roles": ["analyst"], "department": "finance", "site": "vienna"}

headers := {
	"x-request-id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
	"x-purpose": "audit",
	"x-palisade-tls-version": "TLSv1.3",
}

call(method, path, claims) := call_with(method, path, claims, headers)

call_with(method, path, claims, sent) := {"attributes": {
	"request": {"http": {"method": method, "path": path, "headers": sent}},
	"metadataContext": {"filterMetadata": {"envoy.filters.http.jwt_authn": {"claims": claims}}},
}}

decide(asked) := decision if {
	decision := compliance.decision with input as asked
		with data.registry as registry
		with data.required_headers as required_headers
		with data.system.bundles as bundles
}

rule(asked) := decide(asked).dynamic_metadata.rule

route(asked) := decide(asked).dynamic_metadata.route

# --- the decision -----------------------------------------------------------------------------------------------------

test_allowed if {
	decide(call("GET", "/v1/finance/records", officer)) == {
		"allowed": true,
		"http_status": 200,
		"headers": {},
		"response_headers_to_add": {},
		"dynamic_metadata": {"rule": "allowed", "route": "/v1/finance/records", "bundle_revision": "r1"},
	}
}

test_refused if {
	decide(call("GET", "/v1/finance/records", analyst)) == {
		"allowed": false,
		"http_status": 403,
		"headers": {"content-type": "application/problem+json", "cache-control": "no-store"},
		"body": `{"status":403,"title":"Forbidden","detail":"The caller has no role that may do this."}`,
		"dynamic_metadata": {"rule": "role", "route": "/v1/finance/records", "bundle_revision": "r1"},
	}
}

test_nothing_known_is_refused if {
	compliance.decision.http_status == 404 with input as {}
	compliance.decision.dynamic_metadata == {"rule": "unregistered", "route": "", "bundle_revision": ""} with input as {}
	compliance.outcome == "unregistered" with input as call("GET", "/v1/finance/records", officer)
}

# Without the list of mandatory headers nobody knows whether one is missing.
test_lost_settings_are_refused if {
	decision := compliance.decision with input as call("GET", "/v1/finance/records", officer)
		with data.registry as registry
	decision.http_status == 400
}

test_every_refusal_has_its_status_and_a_body_that_says_it if {
	statuses := {name: refusal.status | some name, refusal in compliance.refusals}
	statuses == {
		"unregistered": 404,
		"route": 503,
		"disabled": 410,
		"unauthenticated": 401,
		"header": 400,
		"tls": 403,
		"role": 403,
		"attribute": 403,
	}
	every refusal in compliance.refusals {
		json.unmarshal(refusal.body).status == refusal.status
	}
}

# --- paths ------------------------------------------------------------------------------------------------------------

test_registered_paths if {
	every path, expected in {
		"/": "/",
		"/?": "/",
		"/v1/finance/records": "/v1/finance/records",
		"/v1/finance/records?page=2": "/v1/finance/records",
		"/v1/finance/records?x=/../&y=%2f": "/v1/finance/records",
		"/v1/finance/records?a?b": "/v1/finance/records",
		"/v1/finance/records/42": "/v1/finance/records/{record}",
		"/v1/finance/records/4.2~x_y-z": "/v1/finance/records/{record}",
		"/v1/finance/records/a:b@c!d$e&f'g(h)*+,=": "/v1/finance/records/{record}",
		"/v1/finance/records/a%20b": "/v1/finance/records/{record}",
		"/v1/finance/records/M%C3%BCller": "/v1/finance/records/{record}",
		"/v1/finance/records/%df%bf%e0%a4%b9%ed%80%80%ee%80%80": "/v1/finance/records/{record}",
		"/v1/finance/records/%F0%9F%98%80%f3%80%80%80%F4%8F%BF%BF": "/v1/finance/records/{record}",
	} {
		route(call("GET", path, analyst)) == expected
	}
}

test_what_a_server_could_read_as_another_path_is_unregistered if {
	every path in {
		"",
		"*",
		"v1/finance/records",
		"//v1/finance/records",
		"/v1//finance/records",
		"/v1/finance/records/",
		"/v1/finance/records//",
		"/v1/finance/records/.",
		"/v1/finance/records/..",
		"/v1/finance/./records",
		"/v1/finance/x/../records",
		"/v1/finance/records/..;/summary",
		"/v1/finance/records/%2e%2e",
		"/v1/finance/records/%2E",
		"/v1/finance%2Frecords",
		"/v1/finance/records/a%2fb",
		"/v1/finance/records/a%5Cb",
		"/v1/finance/records/a%252fb",
		"/v1/finance/records/a%00b",
		"/v1/finance/records/a%0d%0ab",
		"/v1/finance/records/a%7f",
		"/v1/finance/records/a%3fb",
		"/v1/finance/records/a%23b",
		"/v1/finance/records/a%3bb",
		"/v1/finance/records/%C0%AF",
		"/v1/finance/records/%E0%80%AF",
		"/v1/finance/records/%ED%A0%80",
		"/v1/finance/records/%F4%90%80%80",
		"/v1/finance/records/%ff",
		"/v1/finance/records/%80",
		"/v1/finance/records/%C3",
		"/v1/finance/records/a%",
		"/v1/finance/records/a%4",
		"/v1/finance/records/a%zz",
		"/v1/finance/rec%6Frds",
		"/v1/customers/%6cist",
		"/v1/customers/li%2Dst",
		"/v1/finance/records/a;b",
		"/v1/finance/records/a\\b",
		"/v1/finance/records/a b",
		"/v1/finance/records/a\tb",
		"/v1/finance/records/ä",
		"/v1/finance/records/{}",
		"/v1/{}/orders",
		"/v1/finance/records#x",
		"/V1/finance/records",
		"/v1/finance/Records",
		"/v1/finance/recordsx",
		"/v1/finance",
		"/v1/finance/records/42/43",
		"https://host/v1/finance/records",
	} {
		rule(call("GET", path, officer)) == "unregistered"
	}
}

test_the_method_is_part_of_the_operation if {
	route(call("PUT", "/v1/customers/42", officer)) == "/v1/customers/{customer}"
	every method in {"get", "Get", "POST", "PUT", "HEAD", "OPTIONS", "TRACE", "GET ", "", "CONNECT"} {
		rule(call(method, "/v1/finance/records", officer)) == "unregistered"
	}
}

test_the_most_exact_template_counts if {
	every path, expected in {
		"/v1/customers/list": "/v1/customers/list",
		"/v1/customers/orders": "/v1/customers/{customer}",
		"/v1/suppliers/orders": "/v1/{kind}/orders",
		"/v1/customers/7/orders/last": "/v1/customers/{customer}/orders/last",
		"/v1/customers/7/orders/8": "/v1/customers/{customer}/orders/{order}",
	} {
		route(call("GET", path, analyst)) == expected
	}
}

# What Envoy has chosen, whatever its parameters are called, or it would serve another operation.
test_the_route_is_that_of_the_operation if {
	rule(routed(call("GET", "/v1/finance/records", officer), {"palisade": {"place": "/v1/finance/records"}})) == "allowed"
	rule(routed(call("GET", "/v1/secret", officer), {"palisade": {"place": "/v1/secret"}})) == "unregistered"
	every path, place in {
		"/v1/finance/records": "/v1/finance/records",
		"/v1/finance/records/42": "/v1/finance/records/{}",
	} {
		rule(routed(call("GET", path, officer), {"palisade": {"place": place}})) != "route"
		rule(routed(call("GET", path, officer), {})) != "route"
	}
	every chosen in [
		{"place": "/v1/finance/{}"},
		{"place": "/v1/finance/records/{}"},
		{"place": "/v1/{}/records"},
		{"place": "/v1/finance/records/"},
		{"place": ""},
		{"place": null},
	] {
		decision := decide(routed(call("GET", "/v1/finance/records", officer), {"palisade": chosen}))
		[decision.http_status, decision.dynamic_metadata.rule] == [503, "route"]
	}
}

routed(asked, namespaces) := {"attributes": object.union(
	asked.attributes,
	{"routeMetadataContext": {"filterMetadata": namespaces}},
)}

test_life_of_an_api if {
	deprecated := decide(call("GET", "/v0/finance/records", officer))
	deprecated.allowed
	deprecated.response_headers_to_add == {"Deprecation": "@1735689600"}
	gone := decide(call("GET", "/v00/finance/records", officer))
	[gone.http_status, gone.dynamic_metadata.rule] == [410, "disabled"]
}

# --- who asks, and how ------------------------------------------------------------------------------------------------

test_without_claims_nobody_is_known if {
	every claims in [null, "compliance_officer", ["compliance_officer"], 1, true] {
		decision := decide(call("GET", "/v1/finance/records", claims))
		[decision.http_status, decision.dynamic_metadata.rule] == [401, "unauthenticated"]
		decision.headers["www-authenticate"] == "Bearer"
	}
}

# Only what Envoy's filter has verified counts, wherever else a client writes the same words.
test_forged_claims if {
	bare := {"attributes": {"request": {"http": {
		"method": "GET",
		"path": "/v1/finance/records",
		"headers": object.union(headers, {
			"authorization": "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlcyI6WyJjb21wbGlhbmNlX29mZmljZXIiXX0.",
			"envoy.filters.http.jwt_authn": `{"claims":{"roles":["compliance_officer"]}}`,
			"x-palisade-roles": "compliance_officer",
		}),
	}}}}
	attributes := bare.attributes
	genuine := {"filterMetadata": {"envoy.filters.http.jwt_authn": {"claims": officer}}}
	elsewhere := {"envoy.filters.http.lua": {"claims": officer}, "claims": officer, "envoy": {"claims": officer}}
	every asked in [
		bare,
		object.union(bare, {"claims": officer, "parsed_body": officer, "source_principal": "compliance_officer"}),
		{"attributes": object.union(attributes, {"contextExtensions": {"claims": "compliance_officer"}})},
		{"attributes": object.union(attributes, {"metadataContext": {"filterMetadata": elsewhere}})},
		{"attributes": object.union(attributes, {"routeMetadataContext": genuine})},
	] {
		rule(asked) == "unauthenticated"
	}
}

test_mandatory_headers if {
	every sent in [
		object.remove(headers, ["x-request-id"]),
		object.remove(headers, ["x-purpose"]),
		object.union(headers, {"x-request-id": ""}),
		object.union(headers, {"x-request-id": "-begins-with-a-sign"}),
		object.union(headers, {"x-request-id": "with a blank in it"}),
		object.union(headers, {"x-request-id": "3f2504e0-4f89-41d3\n9a0c-0305e82c3301"}),
		object.union(headers, {"x-purpose": ""}),
	] {
		decision := decide(call_with("GET", "/v1/finance/records", officer, sent))
		[decision.http_status, decision.dynamic_metadata.rule] == [400, "header"]
	}
}

test_tls_version if {
	sufficient := object.union(headers, {"x-palisade-tls-version": "TLSv1.2"})
	rule(call_with("GET", "/v1/finance/summary", analyst, sufficient)) == "allowed"
	every version in ["TLSv1.2", "TLSv1.1", "TLSv1.4", "tlsv1.3", "1.3", "", "TLSv1.2,TLSv1.3", "-"] {
		sent := object.union(headers, {"x-palisade-tls-version": version})
		rule(call_with("GET", "/v1/finance/records", officer, sent)) == "tls"
	}
	unsaid := object.remove(headers, ["x-palisade-tls-version"])
	rule(call_with("GET", "/v1/finance/records", officer, unsaid)) == "tls"
}

test_roles if {
	every roles in [["compliance_officer"], ["reader", "compliance_officer"]] {
		rule(call("GET", "/v1/finance/records", {"roles": roles})) == "allowed"
	}
	every claims in [
		{},
		{"roles": []},
		{"roles": ["Compliance_officer"]},
		{"roles": ["compliance_officer "]},
		{"roles": "compliance_officer"},
		{"roles": {"compliance_officer": "compliance_officer"}},
		{"roles": [["compliance_officer"]]},
		{"roles": [true, null, 0]},
		{"role": "compliance_officer", "scope": "compliance_officer"},
	] {
		rule(call("GET", "/v1/finance/records", claims)) == "role"
	}
}

test_attributes if {
	every department in ["finance", "audit", ["sales", "finance"]] {
		rule(call("GET", "/v1/finance/summary", object.union(analyst, {"department": department}))) == "allowed"
	}
	every claims in [
		object.remove(analyst, ["department"]),
		object.remove(analyst, ["site"]),
		object.union(analyst, {"department": "sales"}),
		object.union(analyst, {"department": []}),
		object.union(analyst, {"department": ["sales"]}),
		object.union(analyst, {"department": {"finance": "finance"}}),
		object.union(analyst, {"department": true}),
		object.union(analyst, {"department": null}),
	] {
		rule(call("GET", "/v1/finance/summary", claims)) == "attribute"
	}
}

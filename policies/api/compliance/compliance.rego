# METADATA
# title: Who may call which API
# description: |
#   Asked by Envoy for every request, after it has checked the bearer token. Nothing is allowed but an operation that
#   the registry knows, over a TLS version that is good enough, for a caller with a role and the attributes it asks for.
#
#   What is decided on is what Envoy says: the path as it was sent, the claims of the token that it has verified, the
#   TLS version that it has negotiated. "palisade bundle build" makes data.registry and data.required_headers.
# schemas:
#   - input: schema.request
package api.compliance

# METADATA
# description: What Envoy is told. Where there is no decision at all, Envoy answers 503.
# entrypoint: true
decision := {
	"allowed": true,
	"http_status": 200,
	"headers": {},
	"response_headers_to_add": operation.response_headers,
	"dynamic_metadata": {"rule": "allowed", "route": operation.route, "bundle_revision": revision},
} if {
	# In a comprehension, so that the stack is small again before the answer is made; see below.
	[one | one := outcome] == ["allowed"]
} else := {
	"allowed": false,
	"http_status": refusals[outcome].status,
	"headers": refusals[outcome].headers,
	"body": refusals[outcome].body,
	"dynamic_metadata": {"rule": outcome, "route": route, "bundle_revision": revision},
}

# A refusal, unless everything is shown to be right.
default outcome := "attribute"

# The first thing that is wrong; "allowed" only where nothing is. Who has no token learns nothing of roles, nor does
# who has no role learn anything of attributes.
#
# OPA evaluates what follows a condition inside of that condition, and a request has a new, small stack, which is moved
# each time it is too small. What stands behind "not" is left before the next condition; that saves a fifth of OPA's
# processor time. For the same reason the path comes first: it is not evaluated inside of the operation then.
outcome := "unregistered" if {
	not path
} else := "unregistered" if {
	not operation
} else := "route" if {
	# Envoy has chosen another operation: a change of the registry has reached only one of the two, or they disagree. What
	# is decided here is not what would be served then. What parameters are called makes no difference.
	input.attributes.routeMetadataContext.filterMetadata.palisade.place != operation.place
} else := "disabled" if {
	not operation.is_served
} else := "unauthenticated" if {
	not is_authenticated
} else := "header" if {
	not headers_are_there
} else := "tls" if {
	not tls_is_sufficient
} else := "role" if {
	not has_a_role
} else := "allowed" if {
	has_every_attribute
}

# --- what is asked ----------------------------------------------------------------------------------------------------

# The query string is no part of what is decided on.
path := split(input.attributes.request.http.path, "?")[0]

# A parameter has no value that a server behind Envoy could read as another path: dot segments, empty segments (a slash
# at the end makes one), path parameters (";"), backslashes, escapes of what needs none ("%61dmin" is "admin" to it).
path_is_plain if {
	not contains(path, "/.")
	not contains(path, "%")
	regex.match(`^(?:/[A-Za-z0-9._~:@!$&'()*+,=-]+)+$`, path)
}

path_is_plain if {
	contains(path, "%")
	not contains(path, "/.")
	regex.match(path_with_escapes, path)
}

path_with_escapes := concat("", [
	`^(?:/(?:[A-Za-z0-9._~:@!$&'()*+,=-]`,
	# A blank and of the signs of ASCII those that mean nothing in a path: " & ' ( ) * + , : < = > @ [ ] ^ ` { | } and ! $
	`|%(?:2[0124]|2[6-9A-Ca-c]|3[AC-Eac-e]|40|5[BDEbde]|60|7[B-Db-d])`,
	# UTF-8 beyond ASCII, well-formed and as short as it can be (RFC 3629, section 4).
	`|%[Cc][2-9A-Fa-f]%[89ABab][0-9A-Fa-f]`,
	`|%[Dd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]`,
	`|%[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]`,
	`|%[Ee][1-9A-CEFa-cef](?:%[89ABab][0-9A-Fa-f]){2}`,
	`|%[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]`,
	`|%[Ff]0%[9ABab][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2}`,
	`|%[Ff][1-3](?:%[89ABab][0-9A-Fa-f]){3}`,
	`|%[Ff]4%8[0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2}`,
	`)+)+$`,
])

# --- which operation it is --------------------------------------------------------------------------------------------

# What equals a registered path, byte for byte, needs no second look.
operation := found if {
	found := data.registry.exact[input.attributes.request.http.method][path]
} else := data.registry.templates[input.attributes.request.http.method][templates[0]] if {
	path_is_plain
}

# The templates that fit, the most exact one first. A shape is a patch that puts "{}" in the place of each parameter;
# the shapes of a method stand under the number of parts of a path, so that few are tried.
templates := [key |
	segments := split(path, "/")
	some shape in data.registry.shapes[input.attributes.request.http.method][count(segments)]
	key := concat("/", json.patch(segments, shape))
	data.registry.templates[input.attributes.request.http.method][key]
]

default route := ""

route := operation.route

# --- who asks, and how ------------------------------------------------------------------------------------------------

# Only Envoy's own filter writes here; whatever a client calls its headers, it ends under request.headers.
claims := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].claims

is_authenticated if is_object(claims)

headers_are_there if {
	every header in data.required_headers {
		regex.match(header.pattern, input.attributes.request.http.headers[header.name])
	}
}

# Envoy removes this header from what clients send and writes the version that it has negotiated.
tls_is_sufficient if operation.tls_versions[input.attributes.request.http.headers["x-palisade-tls-version"]]

# A claim that is no list of roles is no role.
has_a_role if {
	is_array(claims.roles)
	some role in claims.roles
	operation.roles[role]
}

has_every_attribute if {
	every name, values in operation.attributes {
		has_value(claims[name], values)
	}
}

has_value(claim, values) if values[claim]

has_value(claim, values) if {
	is_array(claim)
	some one in claim
	values[one]
}

# --- what is answered -------------------------------------------------------------------------------------------------

default revision := ""

revision := data.system.bundles.api.manifest.revision

answer_headers := {"content-type": "application/problem+json", "cache-control": "no-store"}

# Answers as RFC 9457 describes them; an answer never says which role, attribute or version would have been enough.
refusals := {
	"unregistered": {
		"status": 404,
		"headers": answer_headers,
		"body": `{"status":404,"title":"Not found","detail":"No registered API has this operation."}`,
	},
	"route": {
		"status": 503,
		"headers": answer_headers,
		"body": `{"status":503,"title":"Service unavailable","detail":"A change of the API is under way."}`,
	},
	"disabled": {
		"status": 410,
		"headers": answer_headers,
		"body": `{"status":410,"title":"Gone","detail":"This version of the API has been retired."}`,
	},
	"unauthenticated": {
		"status": 401,
		"headers": object.union(answer_headers, {"www-authenticate": "Bearer"}),
		"body": `{"status":401,"title":"Unauthorized","detail":"A valid bearer token is needed."}`,
	},
	"header": {
		"status": 400,
		"headers": answer_headers,
		"body": `{"status":400,"title":"Bad request","detail":"A mandatory header is missing or malformed."}`,
	},
	"tls": {
		"status": 403,
		"headers": answer_headers,
		"body": `{"status":403,"title":"Forbidden","detail":"The operation needs a later version of TLS."}`,
	},
	"role": {
		"status": 403,
		"headers": answer_headers,
		"body": `{"status":403,"title":"Forbidden","detail":"The caller has no role that may do this."}`,
	},
	"attribute": {
		"status": 403,
		"headers": answer_headers,
		"body": `{"status":403,"title":"Forbidden","detail":"The caller has the role, but not for this."}`,
	},
}

package system.authz_test

import data.system.authz

test_health_and_metrics if {
	authz.allow with input as {"method": "GET", "path": ["health"]}
	authz.allow with input as {"method": "GET", "path": ["metrics"]}
}

test_nothing_else if {
	every asked in [
		{"method": "GET", "path": []},
		{"method": "GET", "path": ["v1", "data"]},
		{"method": "GET", "path": ["v1", "policies"]},
		{"method": "PUT", "path": ["v1", "policies", "health"]},
		{"method": "POST", "path": ["health"]},
		{},
	] {
		not authz.allow with input as asked
	}
}

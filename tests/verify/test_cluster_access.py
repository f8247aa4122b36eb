"""Who may do what in the cluster: rules and bindings, and what the API server says about single requests."""

from palisade.verification.check import differences, require

RBAC = "rbac.authorization.k8s.io/v1"
BUILT_IN = "kubernetes.io/bootstrapping"


def _subjects(binding):
    return sorted(
        f"{subject['kind']} {subject.get('namespace', '') and subject['namespace'] + '/'}{subject['name']}"
        for subject in binding.get("subjects") or ()
    )


def _attributes(words):
    """A request in words: ``get pods``, ``create pods/exec in palisade-registry``, ``get /metrics``."""
    verb, what, *place = words.split()
    if what.startswith("/"):
        return {"verb": verb, "path": what}
    resource, _, group = what.partition(".")
    group, _, of_group = group.partition("/")
    resource, _, subresource = resource.partition("/")
    found = {"verb": verb, "resource": resource, "group": group, "subresource": subresource or of_group}
    return {**found, **({"namespace": place[1]} if place else {})}


def test_requests_of(control, observation, cluster):
    """Somebody may do this and may not do that; each request is asked of the API server."""
    subject = control.expected["subject"]
    wanted = dict.fromkeys(control.expected.get("may", []), True)
    wanted.update(dict.fromkeys(control.expected.get("may_not", []), False))
    observation.runtime = {words: cluster.may(subject, attributes=_attributes(words)) for words in wanted}
    require(
        f"{'may' if allowed else 'may not'} {words}"
        for words, allowed in observation.runtime.items()
        if allowed is not wanted[words]
    )


def test_bindings_to(control, observation, cluster):
    """Exactly these are bound to a role, in the whole cluster or in any namespace."""
    role = control.expected["role"]
    bindings = [*cluster.objects("ClusterRoleBinding", RBAC), *cluster.objects("RoleBinding", RBAC)]
    observation.runtime = {
        one["metadata"]["name"]: _subjects(one) for one in bindings if one["roleRef"]["name"] == role
    }
    allowed = control.expected["bindings"]
    problems = [f"{name} binds it besides" for name in observation.runtime if name not in allowed]
    present = {name: subjects for name, subjects in allowed.items() if name in observation.runtime}
    require([*problems, *differences(present, observation.runtime, source=f"the bindings of {role}")])


def test_subjects(control, observation, cluster):
    """These subjects have no role but the named ones."""
    bindings = [*cluster.objects("ClusterRoleBinding", RBAC), *cluster.objects("RoleBinding", RBAC)]
    allowed = control.expected["roles"]
    observation.runtime = {
        name: sorted({one["roleRef"]["name"] for one in bindings if name in _subjects(one)})
        for name in control.expected["subjects"]
    }
    require(
        f"{subject} has the role {role}"
        for subject, roles in observation.runtime.items()
        for role in roles
        if role not in allowed
    )


def test_rights(control, observation, cluster):
    """No role but the cluster's own ones has these rights."""
    roles = [*cluster.objects("ClusterRole", RBAC), *cluster.objects("Role", RBAC)]
    allowed = set(control.expected["allowed"])
    observation.runtime = {}
    for role in roles:
        name = role["metadata"]["name"]
        is_own = name.startswith("system:") and BUILT_IN in (role["metadata"].get("labels") or {})
        rights = sorted(_rights(role, control.expected["rights"]))
        if rights and not is_own:
            observation.runtime[name] = rights
    require(f"{name} may {', '.join(rights)}" for name, rights in observation.runtime.items() if name not in allowed)


def _rights(role, rights):
    for rule in role.get("rules") or ():
        groups, resources, verbs = (set(rule.get(part) or ()) for part in ("apiGroups", "resources", "verbs"))
        for right in rights:
            asked = ((right["group"], groups), (right["resource"], resources))
            covered = all(name in found or ("*" in found and name != "*") for name, found in asked)
            if covered and ("*" in verbs or set(right["verbs"]) & verbs):
                yield f"{'/'.join(right['verbs'])} {right['resource']}"

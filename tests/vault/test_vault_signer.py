"""Whether Vault would sign the first certificate of a stack: asked of real servers, without a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import make
from vault_place import ENVIRONMENT, Place

from palisade.config import load_configuration
from palisade.errors import PalisadeError
from palisade.vault.signer import signer_problem
from tests.control_plane.processes import free_ports

REFUSAL = "Nothing was changed, because Vault would not sign the certificate of the edge now. "
ORDER = "; docs/real-environment.md has the order of everything"


def problem_at(place: Place) -> PalisadeError | None:
    """What is said with the state of the place, and without any token."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.variables.items():
            patch.setenv(name, value)
        (place.vault_state / "root-token").unlink(missing_ok=True)
        return signer_problem(load_configuration(place.project, ENVIRONMENT))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server in which nothing is declared; the last test seals it."""
    yield from make(tmp_path_factory.mktemp("signer"))


def test_a_vault_that_is_set_up_would_sign(place: Place) -> None:
    token = (place.vault_state / "root-token").read_text(encoding="utf-8")
    try:
        assert problem_at(place) is None
    finally:
        (place.vault_state / "root-token").write_text(token, encoding="utf-8")


def test_a_vault_that_nobody_has_set_up_has_no_authority(own: Place) -> None:
    problem = problem_at(own)
    assert problem is not None
    assert problem.problem == f"{REFUSAL}It has no authority yet."
    assert problem.where == own.server.address
    assert problem.remedy == f"palisade vault apply {ENVIRONMENT}{ORDER}"


def test_a_machine_on_which_it_does_not_run_refuses_the_connection(own: Place) -> None:
    own.write(vault={"address": f"https://127.0.0.1:{free_ports(1)[0]}"})
    problem = problem_at(own)
    own.write()
    assert problem is not None
    assert problem.problem == f"{REFUSAL}Vault does not answer: the connection is refused."
    assert (problem.remedy or "").endswith(ORDER)


def test_one_that_cannot_be_asked_from_here_is_no_problem(own: Place) -> None:
    own.write(vault={"address": "https://vault.invalid:8200"})
    problem = problem_at(own)
    own.write()
    assert problem is None


def test_one_with_the_certificate_of_somebody_else_is_one_for_cert_manager_too(own: Place, place: Place) -> None:
    own.write(vault={"address": own.server.address, "ca_file": str(place.server.authority)})
    problem = problem_at(own)
    own.write()
    assert problem is not None
    assert problem.problem == f"{REFUSAL}The certificate of Vault is signed by nobody who is trusted."


def test_a_sealed_one_signs_nothing(own: Place) -> None:
    own.server.client().sys.seal()
    problem = problem_at(own)
    assert problem is not None
    assert problem.problem == f"{REFUSAL}Vault is sealed: it cannot read its own data."

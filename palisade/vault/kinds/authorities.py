"""The authorities of the PKI engines: a root, and an intermediate that the root has signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from palisade.vault.changes import Action, Change
from palisade.vault.comparison import seconds
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Resource

_KEY = {"key_type": "ec", "key_bits": 384}
_ISSUER = "current"
_LEAF_NOT_AFTER = "err"
"""A certificate that would outlive its authority is refused, not shortened in silence."""


def find_authority(context: Context, resource: Resource) -> Change | None:
    """What is wrong with the authority of a PKI engine.

    Args:
        context: The connection.
        resource: The entry; its path is the mount.
    """
    found = read_authority(context, resource.path)
    fields = resource.fields
    signed_by = fields.get("signed_by")
    described = {"common_name": fields["common_name"], "signed_by": signed_by or "itself", "ttl": fields["ttl"]}
    make = (lambda: _sign(context, resource)) if signed_by else (lambda: _generate(context, resource))
    if found is None:
        return Change(resource.path, Action.CREATE, after=described, make=make)
    if problem := _problem(found, resource, read_authority(context, signed_by) if signed_by else found):
        name, before, after = problem
        if signed_by:
            return Change(resource.path, Action.UPDATE, {name: before}, {name: after}, "a new one is signed", make)
        reason = "a root is never replaced by itself: every client would have to trust the new one first"
        return Change(resource.path, Action.REFUSE, {name: before}, {name: after}, reason)
    return None


def read_authority(context: Context, mount: str) -> x509.Certificate | None:
    """The certificate of the authority that a PKI engine signs with; None if it has none."""
    default = (context.vault.read(f"{mount}/config/issuers") or {}).get("default")
    if not default:
        return None
    issuer = context.vault.read(f"{mount}/issuer/{default}")
    return x509.load_pem_x509_certificate(issuer["certificate"].encode()) if issuer else None


def _problem(
    found: x509.Certificate, resource: Resource, signer: x509.Certificate | None
) -> tuple[str, str, str] | None:
    fields = resource.fields
    name = _common_name(found)
    if name != fields["common_name"]:
        return "common_name", name, fields["common_name"]
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or constraints.path_length != fields["max_path_length"]:
        return "max_path_length", str(constraints.path_length), str(fields["max_path_length"])
    if signer is None or not _is_signed_by(found, signer):
        return "signed_by", found.issuer.rfc4514_string(), signer.subject.rfc4514_string() if signer else "a new root"
    left = found.not_valid_after_utc - datetime.now(UTC)
    if left <= timedelta(seconds=seconds(fields["renew_before"]) or 0):
        return "ends", found.not_valid_after_utc.isoformat(), f"more than {fields['renew_before']} from now"
    return None


def _is_signed_by(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _generate(context: Context, resource: Resource) -> None:
    fields = resource.fields
    context.vault.write(
        f"{resource.path}/root/generate/internal",
        {
            **_KEY,
            "common_name": fields["common_name"],
            "ttl": fields["ttl"],
            "max_path_length": fields["max_path_length"],
            "issuer_name": _ISSUER,
            "not_before_duration": "30s",
        },
    )


def _sign(context: Context, resource: Resource) -> None:
    vault, mount, fields = context.vault, resource.path, resource.fields
    root = fields["signed_by"]
    request = vault.write(f"{mount}/intermediate/generate/internal", {**_KEY, "common_name": fields["common_name"]})
    signed = vault.write(
        f"{root}/root/sign-intermediate",
        {
            "csr": request["csr"],
            "common_name": fields["common_name"],
            "ttl": fields["ttl"],
            "max_path_length": fields["max_path_length"],
            "use_csr_values": False,
        },
    )
    # With the root, so that whoever gets a certificate gets the whole chain.
    chain = [signed["certificate"], *(signed.get("ca_chain") or [signed["issuing_ca"]])]
    bundle = "\n".join(dict.fromkeys(part.strip() for part in chain)) + "\n"
    imported: dict[str, Any] = vault.write(f"{mount}/intermediate/set-signed", {"certificate": bundle})
    with_key = [issuer for issuer, key in (imported.get("mapping") or {}).items() if key]
    vault.write(f"{mount}/config/issuers", {"default": with_key[0]})
    vault.write(f"{mount}/issuer/{with_key[0]}", {"leaf_not_after_behavior": _LEAF_NOT_AFTER})

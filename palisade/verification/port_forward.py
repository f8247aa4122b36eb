"""HTTP requests to what listens for a pod itself only, through the API server: as ``kubectl port-forward`` does it."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from kubernetes.client import ApiClient, ApiException, CoreV1Api
from kubernetes.stream import portforward

from palisade.verification.cluster import Cluster
from palisade.verification.readings import ReadingFailedError

OK = 200
SECONDS = 10
"""How long one answer may take; a port on an idle node answers within 0.1 s."""


@dataclass(frozen=True)
class Answer:
    """What a program in a pod answered."""

    status: int
    body: bytes


def get(cluster: Cluster, namespace: str, pod: str, port: int, path: str) -> Answer:
    """The answer to one GET request on the pod's loopback; any status is an answer.

    Args:
        cluster: Where.
        namespace: The pod's.
        pod: Its name.
        port: A port in the pod.
        path: From the slash on.

    Raises:
        ReadingFailedError: the API server does not let us, or nobody answers there.
    """
    # A client of its own: it is changed for the time of the forwarding.
    with ApiClient(cluster.settings) as client:
        try:
            forwarded = portforward(
                CoreV1Api(client).connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port)
            )
            socket = forwarded.socket(port)
            socket.settimeout(SECONDS)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            connection.sock = socket
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return Answer(answer.status, answer.read())
            finally:
                connection.close()
        except (ApiException, OSError, http.client.HTTPException) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise ReadingFailedError(f"port {port} of the pod {namespace}/{pod} does not answer: {said}") from error

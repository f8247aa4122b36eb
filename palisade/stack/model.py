"""What a stack is to Palisade: its name, where its state is and what protects it, as the configuration says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from palisade.config import FleetConfiguration, load_configuration
from palisade.errors import ConfigurationError
from palisade.project import MARKER, Project, fleet_state_directory, state_directory
from palisade.yaml_file import read_yaml

PASSPHRASE = "passphrase"  # noqa: S105 - the name of Pulumi's provider
"""The secrets provider that needs a passphrase."""


@dataclass(frozen=True)
class StateFiles:
    """A state that is files on this machine, laid out as Pulumi's file backend does it (``pkg/backend/diy``).

    Args:
        directory: What the URL names.
        project: The name of the Pulumi project.
        stack: The name of the stack.
    """

    directory: Path
    project: str
    stack: str

    @property
    def pulumi(self) -> Path:
        """The directory that belongs to Pulumi."""
        return self.directory / ".pulumi"

    @property
    def locks(self) -> Path:
        """The directory of the stack's lock files."""
        return self.pulumi / "locks" / "organization" / self.project / self.stack

    @property
    def exists(self) -> bool:
        """Whether the stack is there."""
        return any((self.pulumi / "stacks" / self.project / f"{self.stack}.json{end}").is_file() for end in ("", ".gz"))

    def own_paths(self) -> list[Path]:
        """Every file and directory that belongs to this stack alone: state, copies of it, history, locks."""
        directories = (self.pulumi / kind / self.project / self.stack for kind in ("backups", "history"))
        states = (self.pulumi / "stacks" / self.project).glob(f"{self.stack}.json*")
        return [*states, *(path for path in (*directories, self.locks) if path.is_dir())]


@dataclass(frozen=True)
class Stack:
    """The stack of one environment; making this object changes nothing.

    Args:
        project: The checkout.
        environment: The name of the environment, which is the stack's.
        backend: The URL of the place where the state is; None is where pulumi is logged in.
        secrets_provider: What encrypts secret values in the state.
        is_local: Whether it is the stack of a local fleet.
        files: The state, if it is files on this machine.
        kubeconfig: How its cluster is reached, if the configuration says it; None is what KUBECONFIG says.
    """

    project: Project
    environment: str
    backend: str | None
    secrets_provider: str
    is_local: bool
    files: StateFiles | None
    kubeconfig: Path | None

    @property
    def passphrase_file(self) -> Path | None:
        """The file with the passphrase that Palisade makes for local fleets; None where the user has one."""
        is_ours = self.is_local and self.secrets_provider == PASSPHRASE
        return local_state_directory() / PASSPHRASE if is_ours else None

    @property
    def configuration_file(self) -> Path:
        """The file of the stack's configuration."""
        return self.project.environment_file(self.environment)


def local_state_directory() -> Path:
    """Where the stacks of all local fleets of this user have their state."""
    return state_directory() / "state"


def recovery_marker(environment: str) -> Path:
    """Is there from the beginning of a recovery until its end, so that one that was killed is done again."""
    return state_directory() / f"recover-{environment}.unfinished"


def find_stack(project: Project, environment: str) -> Stack:
    """The stack that the configuration of an environment describes, whether it has been made or not.

    Raises:
        ConfigurationError: there is no such environment, or its configuration is refused.
    """
    return stack_of(project, load_configuration(project, environment))


def stack_of(project: Project, configuration: FleetConfiguration) -> Stack:
    """The stack that a configuration describes.

    Raises:
        ConfigurationError: the project file has no name.
    """
    environment, state, cluster = configuration.environment, configuration.state, configuration.cluster
    backend = state.backend or (local_state_directory().as_uri() if configuration.is_local else None)
    own = fleet_state_directory(environment) / "kubeconfig" if configuration.is_local else None
    named = cluster.kubeconfig if cluster else None
    return Stack(
        project=project,
        environment=environment,
        backend=backend,
        secrets_provider=state.secrets_provider,
        is_local=configuration.is_local,
        files=_files(project, backend, environment),
        kubeconfig=named.expanduser() if named else own,
    )


def project_name(project: Project) -> str:
    """The name that the project has for Pulumi.

    Raises:
        ConfigurationError: the project file cannot be read, or has no name.
    """
    path = project.root / MARKER
    document = read_yaml(path).value
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise ConfigurationError("The project has no name.", where=f"{path}: name", allowed="name: palisade")
    return name


def _files(project: Project, backend: str | None, stack: str) -> StateFiles | None:
    url = urlsplit(backend or "")
    if url.scheme != "file":
        return None
    # Pulumi understands file://~ (the home directory) and file://./state (the directory that it is started in).
    directory = project.root / Path(unquote(url.netloc + url.path)).expanduser()
    return StateFiles(directory=directory, project=project_name(project), stack=stack)

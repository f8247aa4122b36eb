"""The local fleet: real Debian hosts with systemd on one machine, reached over SSH as in production."""

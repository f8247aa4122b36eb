"""Programs that run on a host, or here: one file each, standard library only, one JSON document on standard output."""

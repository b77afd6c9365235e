"""Registries: where an image's documents and layers come from (OCI distribution specification, over HTTPS).

hosts.py        the node's hosts.toml: mirrors, certificates, capabilities; hosts_dir.py reads it
credentials.py  this node's credentials of registries: docker's config.json
helpers.py      docker's credential helpers
challenge.py    what a registry demands of a request without credentials
transport.py    HTTP by urllib3: redirects, TLS; answer.py reads an answer, urls.py the addresses in it
proxies.py      which proxy leads to a registry
limits.py       how slow a registry may be
tokens.py       bearer tokens
repository.py   one repository: its documents and its layers

Only the helper process of a pull loads urllib3: see executor/images/pulling.
"""

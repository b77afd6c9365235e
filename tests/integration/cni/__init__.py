"""The CNI runtime with the real plugins, in network namespaces of the tests' own."""

"""How packaging/build makes the deb and the rpm from one description, with equal bytes every time.

    __main__.py        the command: stage, then nfpm once a format
    distributions.py   what is bundled: the locked distributions in the venv, each file held against its digest
    tree.py            the self-contained tree of Python code, compiled
    manual.py          man pages from the commands and the configuration; roff.py writes them
    completions.py     bash, zsh, fish
    notices.py         copyright and licence texts of everything bundled
    sbom.py            the same as a bill of materials (CycloneDX)
    stage.py           the directory from which packaging/nfpm.yaml takes its files
    tool.py            nfpm itself, pinned by digest

packaging/doc/packages.md tells how the packages behave on a node and why.
"""

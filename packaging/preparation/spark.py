"""What `--with spark` makes besides: Spark in a directory of its own, and the driver class that lets it reach Mesos."""

from __future__ import annotations

import shutil

from preparation.engine import BUILD, ROOT, Runner, Step

SPARK = BUILD / "spark"
PACKAGES = SPARK / "packages"
SHIM = SPARK / "mesos-driver.jar"
SOURCES = ROOT / "tests/support/spark/shim"
LOCK = ROOT / "packaging/requirements/spark.txt"
PYTHON = BUILD / "venv/bin/python"


def install_spark(run: Runner) -> None:
    """As a directory for PYTHONPATH, for Spark needs no interpreter of its own. It is published as source only."""
    shutil.rmtree(SPARK, ignore_errors=True)
    locked = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-binary=pyspark")
    build = ("--no-build-isolation", "--use-pep517", "--no-cache-dir", "--no-compile")
    where = ("--target", PACKAGES, "--requirement", LOCK)
    run(PYTHON, "-m", "pip", "install", *locked, *build, *where, attempts=2)


def build_shim(run: Runner) -> None:
    classes = SPARK / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    sources = sorted(SOURCES.rglob("*.java"))
    options = ("-Xlint:all,-path", "-Werror", "--release", "17", "-classpath", PACKAGES / "pyspark/jars/*")
    run("javac", *options, "-d", classes, *sources)
    run("jar", "--create", "--date=2020-01-01T00:00:00Z", "--file", SHIM, "-C", classes, ".")


STEPS = (
    Step(
        "spark",
        lambda: (LOCK,),
        (PACKAGES / "pyspark/bin/spark-class",),
        install_spark,
        "it downloads 318 MB and needs 1.5 GB of room for a moment; is the package registry reachable?",
    ),
    Step(
        "spark-driver",
        lambda: (SOURCES,),
        (SHIM,),
        build_shim,
        "it is built by javac from tests/support/spark/shim; look at what changed there",
        after="spark",
    ),
)

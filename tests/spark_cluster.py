"""A real Spark standalone cluster on loopback: a master and two workers, each a process of its own, stopped at the end."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

STARTED = 60.0
"""Seconds that a process may take to start."""
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Little compilation: the processes live for seconds."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing() -> str | None:
    """Why no cluster can be started here, or ``None``."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "Spark needs Java, which is not on this machine"
    return None


@contextmanager
def cluster(folder: Path) -> Iterator[Any]:
    """A Spark session on a cluster of one master and two workers; logs and scratch files are kept in ``folder``."""
    import pyspark
    from pyspark.sql import SparkSession

    home = Path(pyspark.__file__).parent
    port = free_port()
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_DAEMON_JAVA_OPTS": QUICK_START,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
    }
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(free_port())]
        stack.enter_context(_process(home, environment, folder / "master.log", master, "Starting Spark master"))
        for k in range(2):
            worker = ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g"]
            worker += ["--webui-port", str(free_port()), url]
            stack.enter_context(_process(home, environment, folder / f"worker{k}.log", worker, "Successfully registered"))
        stack.enter_context(
            _settled({"PYSPARK_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": f"--driver-java-options '{QUICK_START}' pyspark-shell"})
        )
        builder = SparkSession.builder.master(url).appName("hinterland-tests").config("spark.driver.host", "127.0.0.1")
        for key, value in _SETTINGS.items():
            builder = builder.config(key, value)
        session = builder.config("spark.local.dir", str(folder / "local")).getOrCreate()
        stack.callback(session.stop)
        yield session


_SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.executor.memory": "700m",
    "spark.executor.cores": "1",
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": "700m",
    "spark.executor.extraJavaOptions": QUICK_START,
    "spark.sql.codegen.wholeStage": "false",
}


@contextmanager
def _settled(values: dict[str, str]) -> Iterator[None]:
    """Environment variables, for as long as the session lives."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@contextmanager
def _process(home: Path, environment: dict[str, str], log: Path, arguments: list[str], ready: str) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen([home / "bin" / "spark-class", *arguments], env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + STARTED
            while not re.search(ready, log.read_text(errors="replace")):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{arguments[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)

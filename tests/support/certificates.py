"""Certificates for tests, made by openssl: a CA, and one key and certificate for both sides."""

import subprocess
from pathlib import Path


def make_certificates(folder: Path) -> Path:
    """``ca.pem``, ``cert.pem`` and ``key.pem`` for localhost, and for nothing else."""

    def openssl(*argv: str) -> None:
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)

    folder.mkdir(exist_ok=True)
    new_key = ("-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost")
    openssl("req", "-x509", *new_key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2")
    openssl("req", *new_key, "-keyout", "key.pem", "-out", "request.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
            "-days", "2", "-extfile", "names", "-out", "cert.pem")  # fmt: skip
    return folder

"""Generates the Python client code of api/ into a temporary folder and puts it on the path."""
import importlib.resources
import pathlib
import sys
import tempfile

from grpc_tools import protoc

API = pathlib.Path(__file__).resolve().parents[2] / "api"


def generate():
    out = tempfile.mkdtemp(prefix="countersign-stubs-")
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    protos = [str(p.relative_to(API)) for p in sorted(API.rglob("*.proto"))]
    code = protoc.main(["protoc", f"-I{API}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}", *protos])
    if code != 0:
        raise SystemExit("protoc failed")
    sys.path.insert(0, out)

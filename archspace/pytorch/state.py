"""State dicts from files: torch's, safetensors, .pt2. Tensors alone are read; nothing is ever unpickled that could run code."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from archspace.errors import FileError
from archspace.files import check_writable

State = dict[str, Tensor]

# Entries of a .pt2 archive that torch.export reads as text, and the names of those that it reads as raw bytes where its tables say so.
PLAIN_ENTRIES = ("archive_format", "archive_version", "version", "byteorder", "serialization_id", "")
RAW_TENSORS = ("weight_", "tensor_")

# What checkpoints keep their state dict under.
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "state_dict_ema", "model_ema")

# dtypes of the safetensors format: github.com/huggingface/safetensors, README, "Format".
SAFETENSORS: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

# dtypes of torch.export's archives: torch/_export/serde/schema.py, ScalarType.
PT2: dict[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}


def read_state(path: str | Path) -> State:
    """The tensors of a file by name: .safetensors, .pt2, or what torch.save wrote of a state dict or of a checkpoint around one.

    Raises FileError for a file that is missing, damaged or none of these; a pickle of anything but tensors and plain containers is
    refused, not loaded (`weights_only`).
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return READERS.get(Path(path).suffix, _torch_state)(data)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, BadZipFile, EOFError) as error:
        what = " ".join(str(error).split())[:80]
        raise FileError(f"{path}: must be a whole file of weights, but cannot be read as one: {type(error).__name__}: {what}") from None


def _torch_state(data: bytes) -> State:
    return _tensors_in(unpickled(data))


def unpickled(data: bytes) -> Any:
    """What torch.save wrote, if that is tensors and plain containers. Raises FileError for any other pickle, which is not loaded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: what cannot be read raises
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise FileError(
            "must be a state dict that torch.save wrote, but holds something else; a pickle of other objects is never loaded, since it "
            "can run any code (weights_only). Save module.state_dict() instead."
        ) from None


def _tensors_in(value: Any) -> State:
    """The state dict in a checkpoint: the value itself, or what it keeps under one of the usual words."""
    for _ in range(3):
        if isinstance(value, Mapping) and value and all(isinstance(one, Tensor) for one in value.values()):
            return {str(name): tensor for name, tensor in value.items()}
        inside = [value[word] for word in WRAPPERS if isinstance(value, Mapping) and isinstance(value.get(word), Mapping)]
        value = inside[0] if inside else None
    raise FileError("must hold a state dict, tensors by name, but holds something else. Save module.state_dict().")


def _safetensors_state(data: bytes) -> State:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    body = bytearray(data[8 + length :])
    state: State = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, stop = entry["data_offsets"]
        dtype, shape = SAFETENSORS[entry["dtype"]], tuple(entry["shape"])
        if not 0 <= start <= stop <= len(body) or stop - start != prod(shape) * dtype.itemsize:
            raise FileError(f"is damaged: {name} lies outside the file or has another size than its shape says")
        state[name] = _from_bytes(body[start:stop], dtype).reshape(shape)
    return state


def _from_bytes(data: bytes | bytearray, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _pt2_state(data: bytes) -> State:
    """The weights in an archive of torch.export, read without torch.export.load, which unpickles what it finds in one."""
    with ZipFile(io.BytesIO(data)) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise FileError(f"is damaged: the checksum of {damaged} in it is wrong")
        names = archive.namelist()
        whole = [name for name in names if name.endswith(("/serialized_state_dict.pt", "/data/weights/model.pt"))]
        if whole:  # before torch 2.8
            return _tensors_in(unpickled(archive.read(whole[0])))
        configs = [name for name in names if name.endswith("data/weights/model_weights_config.json")]
        if not configs:
            raise FileError("must be a .pt2 file of torch.export with its weights, but has none inside")
        folder = configs[0].removesuffix("model_weights_config.json")
        entries = json.loads(archive.read(configs[0]))["config"]
        return {name: _pt2_tensor(archive.read(folder + entry["path_name"]), entry) for name, entry in entries.items()}


def _pt2_tensor(data: bytes, entry: Mapping[str, Any]) -> Tensor:
    if entry["use_pickle"]:
        tensor = unpickled(data)
        if not isinstance(tensor, Tensor):
            raise FileError("must hold tensors, but holds something else")
        return tensor.detach()
    meta = entry["tensor_meta"]
    flat = _from_bytes(data, PT2[meta["dtype"]])
    sizes, strides = ([one["as_int"] for one in meta[key]] for key in ("sizes", "strides"))
    return torch.as_strided(flat, sizes, strides, meta["storage_offset"]["as_int"]).clone()


def refuse_pickles(data: bytes, path: str | Path) -> None:
    """Raise FileError for a .pt2 archive with a pickle of anything but tensors: torch.export.load would load it, and run its code.

    Whatever is neither JSON nor a tensor of raw bytes by its name and by every table that lists it counts as a pickle.
    """
    with ZipFile(io.BytesIO(data)) as archive:
        raw: dict[str, bool] = {}
        for name in archive.namelist():
            if name.endswith("_config.json"):
                for row in json.loads(archive.read(name)).get("config", {}).values():
                    listed = f"{name.rpartition('/')[0]}/{row.get('path_name')}"
                    is_tensor = str(row.get("path_name")).startswith(RAW_TENSORS)
                    raw[listed] = raw.get(listed, True) and is_tensor and row.get("use_pickle") is False
        for name in archive.namelist():
            folder, _, last = name.rpartition("/")
            if last in PLAIN_ENTRIES or name.endswith(".json") or f"{folder}/".endswith("/extra/") or raw.get(name, False):
                continue
            try:
                unpickled(archive.read(name))
            except (FileError, RuntimeError, KeyError, EOFError, ValueError, UnpicklingError):
                law = "a program's file must hold tensors and its code as JSON"
                raise FileError(f"{path}: {law}, but {name} in it is a pickle of something else. A pickle is never loaded.") from None


def write_state(state: Mapping[str, Tensor], path: str | Path, *, force: bool = False) -> None:
    """Write tensors by name as torch.save does. Raises FileError when the file exists (without `force`) or cannot be written."""
    target = check_writable(path, force=force)
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    try:
        target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


READERS: dict[str, Callable[[bytes], State]] = {".safetensors": _safetensors_state, ".pt2": _pt2_state}

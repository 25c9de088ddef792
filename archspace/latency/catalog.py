"""Devices by name: the profiles that come with archspace and the user's own, which go first.

The user's own lie in the platform's user data directory, in `devices/NAME.json`; the environment variable ARCHSPACE_DATA names another
directory. An own profile is called what its file is called, and goes before a shipped one of the same name. A file that is no profile is
listed with its fault and stands in the way of nothing but its own name. The raw samples of a calibration lie beside it, in `NAME.csv`.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from archspace.errors import FileError, LawError, UnknownNameError
from archspace.files import check_writable, make_folder, read_json, read_text, what_is_at, write_text
from archspace.latency.profile import DEVICES, Profile
from archspace.latency.profile_json import profile_from_dict

DATA_VARIABLE = "ARCHSPACE_DATA"
WORDS = ("add", "remove")  # of `archspace devices`: no names
NAME = re.compile(r"\w[\w.+-]*")


@dataclass(frozen=True, slots=True)
class Device:
    """A name that stands for a device, and the file behind it. Of a file that is no profile, `fault` says why, in one line.

    `samples` are the raw samples of an own one, where they lie beside it.
    """

    name: str
    path: Path
    is_own: bool
    is_shipped: bool  # by that name; of an own one: it goes before the shipped one
    profile: Profile | None
    fault: str = ""
    samples: Path | None = None


class BrokenProfileWarning(UserWarning):
    """A file among the user's own profiles is none."""


def own_folder() -> Path:
    """Where the user's own profiles lie; it need not exist."""
    data = os.environ.get(DATA_VARIABLE)
    if not data:
        from platformdirs import user_data_dir

        data = user_data_dir("archspace")
    return Path(data) / "devices"


def device_names() -> tuple[str, ...]:
    """The devices that can be named: shipped and the user's own."""
    return tuple(sorted({*_names_in(DEVICES), *_names_in(own_folder())}))


def load_profile(device: str | Path) -> Profile:
    """The profile of a device's name, or of a path that ends in .json.

    Raises UnknownNameError with near names, FileError when the file cannot be read or is no profile, LawError for what is no name.
    """
    if not isinstance(device, str | Path):
        raise LawError(f"a device is a name or a profile's JSON file, but got {type(device).__name__}. Example: 'gtx1080ti'")
    if isinstance(device, Path) or device.endswith(".json"):
        return profile_from_dict(read_json(device), str(device))
    own = own_folder()
    if device in _names_in(own):
        return _own_profile(device, own)
    if device not in _names_in(DEVICES):
        raise UnknownNameError("device", device, device_names())
    path = DEVICES / f"{device}.json"
    return profile_from_dict(read_json(path), str(path))


def listed_devices() -> tuple[Device, ...]:
    """All devices that can be named, in the order of their names, broken files among them."""
    folder = own_folder()
    own, shipped = _names_in(folder), _names_in(DEVICES)
    found = []
    for name in sorted({*own, *shipped}):
        path = (folder if name in own else DEVICES) / f"{name}.json"
        try:
            profile, fault = load_profile(name), ""
        except FileError as error:
            profile, fault = None, str(error)
        found.append(Device(name, path, name in own, name in shipped, profile, fault, _samples_of(name) if name in own else None))
    return tuple(found)


def devices() -> tuple[Profile, ...]:
    """The profiles of all devices that can be named, in the order of their names.

    The user's own that cannot be read are left out, each with a BrokenProfileWarning.
    """
    found = listed_devices()
    for device in found:
        if device.profile is None:
            warnings.warn(device.fault, BrokenProfileWarning, stacklevel=2)
    return tuple(device.profile for device in found if device.profile is not None)


def add_device(path: str | Path, *, name: str | None = None, force: bool = False) -> Device:
    """Check a profile's JSON file and copy it among the user's own, under `name` or the name that it gives itself.

    The raw samples that it names are copied with it, where they lie beside it; where not, the copy names none.
    Raises FileError when the file is no profile, or when there is one of that name already, shipped or own (without `force`); LawError for
    a name that cannot be a file's.
    """
    data = read_json(path)
    profile = profile_from_dict(data, str(path))
    called = profile.device if name is None else name
    if not NAME.fullmatch(called) or called.endswith(".json") or called in WORDS:
        law = "a device's name has letters, digits, '_', '-', '+' and '.', begins with one of the first three and does not end in .json"
        raise LawError(f"{law}, but got {called!r}. Give another with --name.")
    if called in _names_in(DEVICES) and not force:
        raise FileError(f"{called}: a device of that name comes with archspace; yours would go before it. Give --name, or --force.")
    target = own_folder() / f"{called}.json"
    check_writable(make_folder(target.parent) / target.name, force=force)
    beside = Path(path).with_name(Path(profile.samples).name) if profile.samples else None
    samples = read_text(beside) if beside is not None and what_is_at(beside) == "file" else None
    kept = target.with_name(f"{called}.csv")
    named = {key: value for key, value in data.items() if key != "samples"} | {"device": called}
    if samples is not None:
        write_text(kept, samples, force=force)
        named["samples"] = kept.name
    elif force and what_is_at(kept) == "file":
        _delete(kept)  # of a profile that was replaced
    write_text(target, json.dumps(named, indent=2) + "\n", force=force)
    added = replace(profile, device=called, samples=named.get("samples"))
    return Device(called, target, True, called in _names_in(DEVICES), added, samples=_samples_of(called))


def remove_device(name: str) -> Path:
    """Delete one of the user's own profiles, whole or broken, with its raw samples, and say where it lay.

    Raises UnknownNameError with near names, LawError for a shipped device or when there are none of one's own, FileError when the file
    cannot be deleted.
    """
    folder = own_folder()
    own = _names_in(folder)
    if name not in own and (name in _names_in(DEVICES) or not own):
        shipped = "comes with archspace and stays" if name in _names_in(DEVICES) else "is none of your own devices"
        raise LawError(f"{name!r} {shipped}. Your own are: {', '.join(own) or 'none'}.")
    if name not in own:
        raise UnknownNameError("device of your own", name, own)
    path, samples = folder / f"{name}.json", _samples_of(name)
    _delete(path)
    if samples is not None:
        _delete(samples)
    return path


def _samples_of(name: str) -> Path | None:
    """The raw samples beside one of the user's own profiles; None where there are none."""
    path = own_folder() / f"{name}.csv"
    return path if what_is_at(path) == "file" else None


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise FileError(f"{path}: cannot be deleted: {error.strerror}") from None


def _own_profile(name: str, folder: Path) -> Profile:
    path = folder / f"{name}.json"
    try:
        return replace(profile_from_dict(read_json(path), str(path)), device=name)
    except FileError as error:
        raise FileError(f"{error} (your own device {name!r}: mend the file, or archspace devices remove {name})") from None


def _names_in(folder: Path) -> tuple[str, ...]:
    """Names of the profiles in a folder that may not be there; hidden files are no profiles."""
    try:
        found = sorted(path.name for path in folder.iterdir())
    except (OSError, ValueError):
        return ()
    return tuple([name.removesuffix(".json") for name in found if name.endswith(".json") and not name.startswith(".")])

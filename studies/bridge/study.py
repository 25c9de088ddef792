"""Does from_torch count what torch counts, on every model of torchvision and timm, and is what it rebuilds the same function?

python studies/bridge/study.py counts [torchvision|timm]               # resumable; 2 and 25 minutes
python studies/bridge/study.py roundtrip [torchvision|timm [NAME...]]  # resumable; 5 and 25 minutes
python studies/bridge/study.py peers | speed | memory | verbs

Needs torch, torchvision and timm; peers needs fvcore, torchinfo, thop and ptflops, speed needs fvcore. Writes results/.
"""

from __future__ import annotations

import sys

from models import LIBRARIES, declare_torchvision_operators


def main(part: str, *arguments: str) -> None:
    """Run one part."""
    declared = declare_torchvision_operators()
    if part == "counts":
        from counts import counts

        [counts(library) for library in arguments or LIBRARIES]
    elif part == "roundtrip":
        from roundtrip import round_trips

        if arguments:
            round_trips(*arguments)
        else:
            [round_trips(library) for library in LIBRARIES]
    elif part == "peers":
        from peers import peers

        peers()
    elif part == "verbs":
        from verbs import verbs

        verbs()
    elif part in ("speed", "memory", "gigabyte"):
        import speed

        if part == "gigabyte":
            print(*[round(value, 1) for value in speed.gigabyte(*arguments)])
        else:
            getattr(speed, part)()
    else:
        sys.exit(__doc__)
    del declared


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])

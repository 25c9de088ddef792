"""Zero-cost proxies: numbers that an untrained network is judged by, each with what studies/proxies found it to be worth.

`proxy(graph, name)` measures one, `PROXIES` holds them, `quality_text(name)` says how far one can be trusted.
"""

from __future__ import annotations

from archspace.pytorch.proxies.quality import Quality, qualities, quality_text
from archspace.pytorch.proxies.table import PROXIES, Proxy, proxy, proxy_named

__all__ = ["PROXIES", "Proxy", "Quality", "proxy", "proxy_named", "qualities", "quality_text"]

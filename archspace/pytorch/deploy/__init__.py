"""From a trained network to the one that runs: batch norms folded, shifts frozen, movements merged; graph and weights together."""

from __future__ import annotations

from archspace.pytorch.deploy.verb import Deployment, deploy, deployment

__all__ = ["Deployment", "deploy", "deployment"]

"""From the names that SDKs, gateways and clouds report to the names of a price catalogue.

OpenTelemetry's `gen_ai.provider.name`, LiteLLM's and pydantic-ai's provider names are aliases of
one provider; gateways put a path before the model, Bedrock a region and a vendor, Vertex a version
after `@`. The candidates are tried in order, the name as reported first, so that a catalogue which
knows the long name (Bedrock's regional premium) is heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

_ALIASES: Final = {
    "aws": "aws.bedrock bedrock aws_bedrock aws-bedrock amazon-bedrock amazon_bedrock amazon"
    " bedrock_converse",
    "azure": "azure.ai.openai az.ai.openai azure.ai.inference az.ai.inference azure_ai azure-ai"
    " azure_openai azure-openai azureopenai microsoft.foundry",
    "google": "gcp.vertex_ai gcp.gemini gcp.gen_ai vertex_ai vertex_ai_beta vertexai vertex"
    " vertex-ai google_vertexai google-vertex google-vertex-anthropic google_genai google-genai"
    " google-gla google_ai gemini",
    "anthropic": "claude anthropic_api",
    "openai": "openai_api text-completion-openai openai-responses openai-chat",
    "x-ai": "x_ai xai grok",
    "mistral": "mistral_ai mistralai mistral-ai",
    "moonshotai": "moonshot_ai moonshot kimi",
    "together": "together_ai together-ai togetherai",
    "fireworks": "fireworks_ai fireworks-ai fireworksai",
    "perplexity": "perplexity_ai perplexity-ai pplx",
    "zai": "z_ai z-ai z.ai",
    "deepseek": "deepseek-ai deepseek_ai",
    "cohere": "cohere_chat cohere-ai",
    "voyageai": "voyage voyage_ai",
    "github-copilot": "github_copilot copilot",
    "openrouter": "open_router open-router openrouter.ai",
}
_CANONICAL: Final = {alias: name for name, line in _ALIASES.items() for alias in line.split()}

GATEWAYS: Final = frozenset(
    name
    for line in (
        "litellm litellm_proxy portkey helicone vercel vercel_ai_gateway vercel-ai-gateway kong",
        "ai-gateway ai_gateway gateway langchain langchain_core llamaindex bifrost requesty",
        "cloudflare-ai-gateway unknown other custom none",
    )
    for name in line.split()
)
"""Names that say how a call travelled, not who bills it."""

_BEDROCK: Final = re.compile(
    r"^(?:[a-z]{2,6}(?:-gov)?\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen"
    r"|writer|google|nvidia|moonshotai?|minimax|stability|zai)\.[a-z0-9]"
)
_PATHS: Final = (
    re.compile(
        r"^(?:projects/[^/]+/locations/[^/]+/)?publishers/(?P<provider>[^/]+)/models/(?P<model>.+)$"
    ),
    re.compile(r"^models/(?P<model>.+)$"),
    re.compile(r"^accounts/(?P<provider>fireworks)/models/(?P<model>.+)$"),
    re.compile(r"^(?:converse|invoke|chat|completion)/(?P<model>.+)$"),
)
_BRACKET: Final = re.compile(r"\[[^\]]*\]$")
_ROUNDS_MAX: Final = 4
"""How many wrappers around one name are taken off: gateway, provider, path, version."""


def canonical_provider(provider: str | None) -> str | None:
    """Return the catalogue's name of a provider; None for a gateway or nothing at all."""
    name = (provider or "").strip().lower()
    name = _CANONICAL.get(name, name)
    return None if not name or name in GATEWAYS else name


def candidates(provider: str | None, model: str) -> Iterator[tuple[str | None, str]]:
    """Yield (provider or None, model) pairs to look up, the likeliest first, each once."""
    start = (canonical_provider(provider), model.strip().lower())
    seen = {start}
    round_ = [start]
    yield start
    for _ in range(_ROUNDS_MAX):
        found = [pair for one in round_ for pair in _unwrapped(*one)]
        round_ = []
        for pair in found:
            if pair[1] and pair not in seen:
                seen.add(pair)
                round_.append(pair)
                yield pair


def _unwrapped(provider: str | None, model: str) -> Iterator[tuple[str | None, str]]:
    """Yield what `model` may be called with one wrapper less."""
    for pattern in _PATHS:
        if found := pattern.match(model):
            vendor = found.groupdict().get("provider")
            yield provider or canonical_provider(vendor), found["model"]
            return
    if _BEDROCK.match(model):
        yield "aws", model
    head, slash, rest = model.partition("/")
    if slash:
        yield canonical_provider(head) or provider, rest
    if _BRACKET.search(model):
        yield provider, _BRACKET.sub("", model)
    name, at_sign, version = model.partition("@")
    if at_sign:
        yield provider, f"{name}-{version}"
        yield provider, name


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name fits a pattern of a price file; `*` stands for any characters."""
    plain = pattern.lower().replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(name, plain)


def specificity(patterns: tuple[str, ...], name: str) -> int | None:
    """Return how well the best of `patterns` fits (an exact name beats `*`); None if none does."""
    scores = (
        (1_000 if pattern.lower() == name else len(pattern.replace("*", "")))
        for pattern in patterns
        if matches(pattern, name)
    )
    return max(scores, default=None)

"""Formulas for people who do not read LaTeX: one line of plain text."""

from __future__ import annotations

import re

_SIGNS = {
    "sum": "Σ", "prod": "Π", "int": "∫", "cdot": "·", "cdots": "…", "dots": "…", "ldots": "…", "times": "×", "ne": "≠", "neq": "≠", "le": "≤", "leq": "≤",
    "ge": "≥", "geq": "≥", "in": "in", "notin": "not in", "mid": "|", "infty": "∞", "approx": "≈", "pm": "±", "to": "→", "top": "T", "prime": "'",
    "forall": "for all", "cap": "∩", "cup": "∪", "lVert": "|", "rVert": "|", "Vert": "|", "circ": "∘",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ", "omega": "ω",
    "Phi": "Φ", "Omega": "Ω", "Sigma": "Σ", "Lambda": "Λ", "Gamma": "Γ", "Theta": "Θ", "psi": "ψ", "kappa": "κ", "xi": "ξ",
    "quad": " ", "qquad": " ", "left": "", "right": "", "big": "", "Big": "", "bigl": "", "bigr": "", "Bigl": "", "Bigr": "", "limits": "", "displaystyle": "",
}  # fmt: skip
_GREEK = frozenset(k for k, v in _SIGNS.items() if len(v) == 1 and v.isalpha())
_POWERS = {"2": "²", "3": "³"}
_BRACED = r"(\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*\})"
_ARGUMENT = rf"\s*({_BRACED[1:-1]}|\\[A-Za-z]+|[^\s\\])"


def plain(latex: str) -> str:
    r"""A line of LaTeX as plain text: ``\frac{a}{b+c}`` → ``a/(b+c)``, ``\sum_i x_i^2`` → ``Σ_i x_i²``."""
    text = re.sub(r"\\[,;:! ]", " ", latex).replace("~", " ").replace(r"\{", "⦃").replace(r"\}", "⦄").replace(r"\|", "|")
    text = re.sub(rf"\\(?:text|mathrm|mathbf|mathit|operatorname){_BRACED}", lambda m: m[1][1:-1], text)
    for _ in range(8):
        before = text
        text = re.sub(rf"\\[dt]?frac{_ARGUMENT}{_ARGUMENT}", lambda m: f" {_grouped(m[1])}/{_grouped(m[2])} ", text)
        text = re.sub(rf"\\(?:bar|overline){_ARGUMENT}", lambda m: f"mean({_bare(m[1])})", text)
        text = re.sub(rf"\\(?:hat|widehat|tilde|vec){_ARGUMENT}", lambda m: _bare(m[1]), text)
        text = re.sub(rf"\\sqrt{_ARGUMENT}", lambda m: f"√({_bare(m[1])})", text)
        if text == before:
            break
    text = re.sub(rf"\^{_ARGUMENT}", lambda m: _POWERS.get(_bare(m[1])) or f"^{_raised(m[1])}", text)
    text = re.sub(r"\\(ln|log|min|max|exp|arccos|in|notin|cap|cup|cdot)(?![A-Za-z])\s*", r" \\\1 ", text)
    text = re.sub(rf"_{_ARGUMENT}", lambda m: f"_{_lowered(m[1])} ", text)
    text = re.sub(r"\\([A-Za-z]+)\s*", lambda m: _SIGNS.get(m[1], m[1]) + (" " if m[0][-1] == " " and m[1] not in _GREEK else ""), text)
    text = text.replace("{", "").replace("}", "").replace("⦃", "{").replace("⦄", "}").replace("\\", "")
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" (?=[)\]|,/²³^_·(])|(?<=[(\[/·]) ", "", text).strip()
    text = re.sub(r" ?= ?", " = ", text) if "_(" not in text else re.sub(r"(?<=[^_(\w]) ?= ?|(?<=\w) = ?", " = ", text)
    return re.sub(r"(?<![=(]) ([-+])(?=[\w(])", r" \1 ", text)


def _bare(argument: str) -> str:
    return argument[1:-1] if argument.startswith("{") else argument


def _lowered(argument: str) -> str:
    inner = _bare(argument).strip()
    return f"({inner})" if re.search(r"[-+<>=]|\\in|\\le|\\mid", inner) else inner


def _raised(argument: str) -> str:
    inner = _bare(argument)
    return inner if re.fullmatch(r"[\w'*+−-]|\\[A-Za-z]+", inner) else f"({inner})"


def _grouped(argument: str) -> str:
    """A numerator or denominator, in brackets where it is more than one thing."""
    inner = _bare(argument).strip()
    return inner if re.fullmatch(r"\\?[A-Za-z0-9]+(_(\w|\{[^{}]*\}))?|\(.*\)", inner) else f"({inner})"

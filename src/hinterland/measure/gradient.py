"""Industrial gradient coefficient: which regions stand high on an industry's ladder, and are likely to let it go.

Improved form with capital: Chen & Xiong (2007). Arrays: regions are rows, industries columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = ["Gradient", "gradient_coefficient"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gradient:
    """Gradient coefficients and their factors, each [R, I]; NaN where a factor is undefined.

    ``quotient``: location quotient of value added;  ``labour``: comparative labour productivity CP;  ``capital``: comparative return on
    capital CCOR (NaN without capital);  ``coefficient``: LQ·CP, above 1 a potential source, below 1 a potential host;
    ``improved``: LQ·CP·CCOR.
    """

    quotient: Floats
    labour: Floats
    capital: Floats
    coefficient: Floats
    improved: Floats

    @property
    def log_coefficient(self) -> Floats:
        """Logarithm of the coefficient: the product is skewed, and the logarithm is what to average or regress; NaN where it is 0."""
        return np.asarray(np.log(np.where(self.coefficient > 0, self.coefficient, np.nan)))


def gradient_coefficient(
    output: Floats, labour: Floats, capital: Floats | None = None, *, cp_base: Literal["industry", "region"] = "industry"
) -> Gradient:
    """Gradient coefficients from value added, labour and capital, each [R, I].

    CP_ri = (VA_ri/VA_.i)/(L_ri/L_.i) with ``cp_base="industry"``: productivity relative to the nation's in the same industry. Some papers relate it to
    the region's own total instead, (VA_ri/VA_r.)/(L_ri/L_r.): ``cp_base="region"``. CCOR_ri = (VA_ri/VA_.i)/(K_ri/K_.i). The quotient is of value added,
    the magnitude of CP.
    """
    axis = 0 if cp_base == "industry" else 1
    cp = ratio(_part(output, axis), _part(labour, axis))
    quotient = ratio(_part(output, 0), _part(np.nansum(output, axis=1, keepdims=True), 0))
    ccor = np.full(output.shape, np.nan) if capital is None else ratio(_part(output, 0), _part(capital, 0))
    basic = quotient * cp
    return Gradient(quotient, cp, ccor, basic, basic * ccor)


def _part(values: Floats, axis: int) -> Floats:
    return ratio(values, np.nansum(values, axis=axis, keepdims=True))

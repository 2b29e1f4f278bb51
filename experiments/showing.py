"""How records show themselves: as `models.display` says, which is imported when one is shown.

Records are made where JAX need not be there yet (``rhoflow --help``).
"""

Facts = tuple[str, tuple[tuple[str, ...], ...], tuple[str, ...]]
"""A title, rows of cells, and what stands above the cells (nothing where there are no rows)."""


class Shown:
    """Shows itself by its facts, which a class that inherits tells."""

    def _facts(self) -> Facts:
        raise NotImplementedError

    def __repr__(self) -> str:
        from ..models.display import Card, text

        return text(Card(*self._facts()))

    def _repr_html_(self) -> str:
        from ..models.display import Card, html

        return html(Card(*self._facts()))

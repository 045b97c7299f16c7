"""Operations: what runs between the shop and its other systems, at ``/v1/ops`` and as the page ``/ops``."""

"""Several looks, and what lies between them."""

"""The explorers and the playground: one small module each, and their built bundles."""

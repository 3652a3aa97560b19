"""Problems with limits on the law of the reproduction: finite letters, one interior point for all measures."""

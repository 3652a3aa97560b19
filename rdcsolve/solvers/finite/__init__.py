"""Problems with listed letters: reduced, solved by one of three methods, their results recovered."""

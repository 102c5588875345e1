# Tests.  `make check` runs prove over t/*.t.
UNIT_LIBS = $(EVENT_LIBS) $(WSLAY_LIBS) $(PQ_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)
EXTRA_DIST += t/lib/tap.h

# linnet-bench(1) against linnetd and every other server that is installed:
#	make bench BENCH_ARGS='--rounds 9'
# What linnet-bench needs beside itself are the programs that make libraries
# into servers.
BENCH_PEERS = contrib/bench/peers/jetstream.conf \
	contrib/bench/peers/socketify.py contrib/bench/peers/uws.js \
	contrib/bench/peers/ws.js
benchdir = $(pkgdatadir)/bench
bench_DATA = $(BENCH_PEERS)
EXTRA_DIST += $(BENCH_PEERS)
CLEANFILES += bench.json bench.svg
BENCH_ARGS =

bench: linnet-bench$(EXEEXT) linnetd$(EXEEXT) linnetctl$(EXEEXT)
	./linnet-bench compare --scripts $(srcdir)/contrib/bench/peers \
	    --save bench.json --svg bench.svg $(BENCH_ARGS)

.PHONY: bench

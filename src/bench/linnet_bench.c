/* SPDX-License-Identifier: ISC */
/*
 * linnet-bench(1): see bench.c.
 */
#include "bench/bench.h"

int
main(int argc, char **argv)
{
	return bench_main(argc, argv);
}

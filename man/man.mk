# Manual pages: man/<page>.in is prose.  A line that is only @NAME@ becomes
# what `linnet-dump NAME` prints from the tables, and @COMMANDS@ what
# `linnet help --mdoc` does (in linnetctl(8), linnetctl's; in linnet-bench(1), its own),
# @TOOLS@ what `linnet mcp --mdoc` does, and @PROMPTS@ --mdoc-prompts.  The pages are in
# the tarball; they are made again when prose or tables changed, not when only
# these programs were built.
MAN_PAGES = man/linnet.1 man/linnet-bench.1 man/liblinnet.3 \
	man/linnet-internals.7 man/linnet-mcp.7 man/linnet-protocol.7 \
	man/linnet-rest.7 man/linnet-schema.7 man/linnet-security.7 \
	man/linnetctl.8 man/linnetd.8 man/linnetd.conf.5
dist_man_MANS = $(MAN_PAGES)
EXTRA_DIST += $(MAN_PAGES:%=%.in) man/expand.awk
MAINTAINERCLEANFILES = $(MAN_PAGES)

SAYS_COMMANDS = linnet
man/linnetctl.8: SAYS_COMMANDS = linnetctl
man/linnet-bench.1: SAYS_COMMANDS = linnet-bench

# The descriptors of operations stand in the sources of core.
$(MAN_PAGES): man/%: man/%.in man/expand.awk src/dump/dump.c src/dump/dump_rest.c \
    src/cli/cli.c src/ctl/ctl_table.c src/bench/bench.c src/base/usage.c \
    src/mcp/mcp_tools.c src/mcp/mcp_prompt.c \
    $(wildcard $(srcdir)/src/*/*.def) $(src_libcore_a_SOURCES) \
    | linnet-dump$(EXEEXT) linnet$(EXEEXT) linnetctl$(EXEEXT) \
    linnet-bench$(EXEEXT)
	@$(MKDIR_P) man
	$(AM_V_GEN)$(AWK) -v dump=./linnet-dump \
	    -v commands='./$(SAYS_COMMANDS) help --mdoc' \
	    -v tools='./linnet mcp --mdoc' \
	    -v prompts='./linnet mcp --mdoc-prompts' \
	    -f $(srcdir)/man/expand.awk $< >$@.tmp && mv $@.tmp $@ || { rm -f $@.tmp; exit 1; }

# `make install-man` may be the first thing that is made.
src/dump/dump.$(OBJEXT) $(src_libcore_a_OBJECTS): $(SQL_MADE)

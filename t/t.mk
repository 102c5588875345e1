# Tests.  `make check` runs prove over t/*.t; t/10-unit.t runs the unit
# programs.  A new one is a word in UNIT at the end of this file: t/unit/foo is
# made from t/unit/foo.c and linked with base.  One that needs more says so:
#	UNIT += t/unit/foo
#	t_unit_foo_LDADD = src/libnet.a $(LDADD)
UNIT =

LDADD = src/libbase.a $(SYS_LIBS)
UNIT_LIBS = $(SYS_LIBS)
check_PROGRAMS += $(UNIT)
AM_CPPFLAGS += -I$(srcdir)/t/lib

EXTRA_DIST += $(wildcard $(srcdir)/t/*.t $(srcdir)/t/size.allow \
	$(srcdir)/t/lib/*.[ch] $(srcdir)/t/lib/*.pm $(srcdir)/t/lib/*/*.pm)

TESTS_T = $(srcdir)/t/*.t
PROVE_FLAGS = -j4

check-local: all $(check_PROGRAMS)
	srcdir='$(abs_srcdir)' builddir='$(abs_builddir)' \
	    MANDOC='$(MANDOC)' CLANG_FORMAT='$(CLANG_FORMAT)' \
	    $(PROVE) -I$(abs_srcdir)/t/lib $(PROVE_FLAGS) $(TESTS_T)

UNIT += t/unit/buf t/unit/clock t/unit/crypto t/unit/hash t/unit/id t/unit/ip \
	t/unit/json t/unit/log t/unit/pool t/unit/str
UNIT += t/unit/bus t/unit/bus_shm t/unit/bus_wake t/unit/bus_interest
t_unit_bus_LDADD = src/libbus.a $(LDADD)
t_unit_bus_shm_LDADD = src/libbus.a $(LDADD)
t_unit_bus_wake_LDADD = src/libbus.a $(LDADD)
t_unit_bus_interest_LDADD = src/libbus.a $(LDADD)

# db is tested with statements and migrations of its own: its sources once
# more, against other tables.
UNIT += t/unit/db t/unit/db_fault
DB_TEST_FLAGS = -iquote t/unit/db_made $(AM_CPPFLAGS)
DB_TEST_MADE = t/unit/db_made/db/stmts.inc t/unit/db_made/db/migrations.inc
DB_TEST_MIGRATIONS = t/unit/db_sql/0001_first.sql t/unit/db_sql/0002_second.sql
check_LIBRARIES = t/unit/libdb.a
t_unit_libdb_a_SOURCES = $(src_libdb_a_SOURCES)
t_unit_libdb_a_CPPFLAGS = $(DB_TEST_FLAGS)
t_unit_db_CPPFLAGS = $(DB_TEST_FLAGS)
t_unit_db_LDADD = t/unit/libdb.a $(LDADD)
t_unit_db_fault_CPPFLAGS = $(DB_TEST_FLAGS)
t_unit_db_fault_LDADD = t/unit/libdb.a $(LDADD)
$(t_unit_libdb_a_OBJECTS) $(t_unit_db_OBJECTS) $(t_unit_db_fault_OBJECTS): \
	$(DB_TEST_MADE) src/db/migrate.inc
t/unit/db_made/db/stmts.inc: t/unit/db_sql/stmts.sql sql/stmts.awk sql/quote.awk
	$(AM_V_GEN)$(MKDIR_P) t/unit/db_made/db && $(SQL_AWK) \
	    -f $(srcdir)/sql/stmts.awk $(srcdir)/t/unit/db_sql/stmts.sql \
	    >$@.tmp && mv $@.tmp $@
t/unit/db_made/db/migrations.inc: $(DB_TEST_MIGRATIONS) sql/embed.awk \
	sql/quote.awk
	$(AM_V_GEN)$(MKDIR_P) t/unit/db_made/db && ( cd $(srcdir) && $(AWK) \
	    -f sql/quote.awk -f sql/embed.awk $(DB_TEST_MIGRATIONS) ) \
	    >$@.tmp && mv $@.tmp $@
CLEANFILES += $(DB_TEST_MADE)
EXTRA_DIST += t/unit/db_sql/stmts.sql $(DB_TEST_MIGRATIONS)

UNIT += t/unit/net_addr t/unit/net_http t/unit/net_request t/unit/net_conn \
	t/unit/net_ws t/unit/net_timer t/unit/net_stream
t_unit_net_addr_LDADD = src/libnet.a $(LDADD)
t_unit_net_http_LDADD = src/libnet.a $(LDADD)
t_unit_net_request_LDADD = src/libnet.a $(LDADD)
t_unit_net_conn_LDADD = src/libnet.a $(LDADD)
t_unit_net_ws_LDADD = src/libnet.a $(LDADD)
t_unit_net_timer_LDADD = src/libnet.a $(LDADD)
t_unit_net_stream_LDADD = src/libnet.a $(LDADD)
# These stand between net and the system: calls that fail, a clock that moves.
t_unit_net_conn_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=recv -Wl,--wrap=sendmsg
t_unit_net_timer_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono
UNIT += t/unit/bucket
t_unit_bucket_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono

# The programs once more, with what the conformance suite for MCP looks for:
# only t/79-mcp-conformance.t runs these, and nobody installs them.
check_LIBRARIES += t/mcp/libmcp.a
t_mcp_libmcp_a_SOURCES = $(src_libmcp_a_SOURCES) t/mcp/mcp_fixture.c \
	t/mcp/mcp_fixture_ask.c
t_mcp_libmcp_a_CPPFLAGS = $(AM_CPPFLAGS) -DMCP_FIXTURES
check_PROGRAMS += t/mcp/linnetd t/mcp/linnet
t_mcp_linnetd_SOURCES = $(linnetd_SOURCES)
t_mcp_linnetd_LDADD = $(linnetd_LDADD:src/libmcp.a=t/mcp/libmcp.a)
t_mcp_linnet_SOURCES = $(linnet_SOURCES)
t_mcp_linnet_LDADD = $(linnet_LDADD:src/libmcp.a=t/mcp/libmcp.a)

# Crowds of clients for the tests that need them.
check_PROGRAMS += t/load/swarm t/load/checker
t_load_swarm_SOURCES = t/load/crowd.h t/load/crowd.c t/load/swarm.c
t_load_checker_SOURCES = t/load/crowd.h t/load/crowd.c t/load/checker.c
t_load_swarm_LDADD = $(BENCH_LIBS)
t_load_checker_LDADD = $(BENCH_LIBS)
check_PROGRAMS += t/load/filer
t_load_filer_LDADD = src/libipc.a $(LDADD)

UNIT += t/unit/roster
t_unit_roster_LDADD = src/libcore.a src/libdb.a src/libbus.a $(LDADD)

UNIT += t/unit/conf t/unit/ipc t/unit/ipc_ctl t/unit/ipc_proc
t_unit_conf_LDADD = src/libconf.a $(LDADD)
t_unit_ipc_LDADD = src/libipc.a $(LDADD)
t_unit_ipc_ctl_LDADD = src/libipc.a $(LDADD)
t_unit_ipc_proc_LDADD = src/libipc.a $(LDADD)

UNIT += t/unit/lib_url t/unit/lib_error t/unit/lib_http t/unit/lib_invite \
	t/unit/lib_message t/unit/lib_conn
t_unit_lib_url_LDADD = $(LINNET_LIBS)
t_unit_lib_error_LDADD = $(LINNET_LIBS)
t_unit_lib_http_LDADD = $(LINNET_LIBS)
t_unit_lib_invite_LDADD = $(LINNET_LIBS)
t_unit_lib_message_LDADD = $(LINNET_LIBS)
t_unit_lib_conn_LDADD = $(LINNET_LIBS)
UNIT += t/unit/cli_args t/unit/cli_config t/unit/cli_edit t/unit/cli_print
t_unit_cli_args_LDADD = src/libcli.a $(LINNET_LIBS)
t_unit_cli_config_LDADD = src/libcli.a $(LINNET_LIBS)
t_unit_cli_edit_LDADD = src/libcli.a $(LINNET_LIBS)
t_unit_cli_print_LDADD = src/libcli.a $(LINNET_LIBS)
UNIT += t/unit/conf_database
t_unit_conf_database_LDADD = src/libconf.a $(LDADD)
UNIT += t/unit/conf_secret
t_unit_conf_secret_LDADD = src/libconf.a $(LDADD)
UNIT += t/unit/attestation
t_unit_attestation_LDADD = src/libcore.a src/libdb.a src/libbus.a $(LDADD)
UNIT += t/unit/search_text
t_unit_search_text_LDADD = src/libcore.a src/libdb.a src/libbus.a $(LDADD)
UNIT += t/unit/unit_text
t_unit_unit_text_LDADD = src/libcore.a src/libdb.a src/libbus.a $(LDADD)
UNIT += t/unit/cron
t_unit_cron_LDADD = src/libcore.a src/libdb.a src/libbus.a $(LDADD)
UNIT += t/unit/net_tls
t_unit_net_tls_LDADD = src/libnet.a $(LDADD)
UNIT += t/unit/usage t/unit/usage_read
UNIT += t/unit/bench_hist
t_unit_bench_hist_LDADD = src/libbench.a $(LDADD)
UNIT += t/unit/token
t_unit_token_LDADD = src/libcore.a src/libdb.a src/libbus.a $(LDADD)
UNIT += t/unit/mcp t/unit/mcp_prompt
t_unit_mcp_prompt_LDADD = src/libmcp.a $(LDADD)
t_unit_mcp_prompt_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_wall
t_unit_mcp_LDADD = src/libmcp.a $(LDADD)
t_unit_mcp_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_mono
UNIT += t/unit/store
t_unit_store_LDADD = src/libstore.a $(LDADD) $(CURL_LIBS) $(PTHREAD_LIBS)

# Statements and migrations become C: the programs carry their SQL.

# In order; a released file is never changed.
MIGRATIONS = sql/0001_init.sql sql/0002_sessions.sql sql/0003_moderation.sql \
	sql/0004_notes.sql sql/0005_schedule.sql sql/0006_hosts.sql \
	sql/0007_tokens.sql sql/0008_mcp.sql sql/0009_files.sql \
	sql/0010_channels.sql sql/0011_artifacts.sql sql/0012_search.sql \
	sql/0013_audit.sql sql/0014_streams.sql sql/0015_webhooks.sql \
	sql/0016_durable.sql sql/0017_people.sql sql/0018_grants.sql \
	sql/0019_hellos.sql

SQL_AWK = $(AWK) -f $(srcdir)/sql/quote.awk

src/db/stmts.inc: sql/stmts.sql sql/stmts.awk sql/quote.awk
	$(AM_V_GEN)$(MKDIR_P) src/db && $(SQL_AWK) \
	    -f $(srcdir)/sql/stmts.awk $(srcdir)/sql/stmts.sql >$@.tmp && \
	    mv $@.tmp $@
src/db/migrate.inc: sql/migrate.sql sql/stmts.awk sql/quote.awk
	$(AM_V_GEN)$(MKDIR_P) src/db && $(SQL_AWK) \
	    -f $(srcdir)/sql/stmts.awk $(srcdir)/sql/migrate.sql >$@.tmp && \
	    mv $@.tmp $@
src/db/migrations.inc: $(MIGRATIONS) sql/embed.awk sql/quote.awk
	$(AM_V_GEN)$(MKDIR_P) src/db && ( cd $(srcdir) && $(AWK) \
	    -f sql/quote.awk -f sql/embed.awk $(MIGRATIONS) ) >$@.tmp && \
	    mv $@.tmp $@

SQL_MADE = src/db/stmts.inc src/db/migrate.inc src/db/migrations.inc
BUILT_SOURCES += $(SQL_MADE)
$(src_libdb_a_OBJECTS): $(SQL_MADE)
CLEANFILES += $(SQL_MADE)
EXTRA_DIST += sql/quote.awk sql/stmts.awk sql/embed.awk sql/stmts.sql \
	sql/migrate.sql $(MIGRATIONS)

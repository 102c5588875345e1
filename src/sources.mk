# One library per directory of src; a directory is a layer or a process.

noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = src/base/base.h src/base/alloc.c src/base/buf.c \
	src/base/clock.c src/base/crypto.c src/base/hash.c src/base/id.c \
	src/base/json_read.c src/base/json_write.c src/base/log.c \
	src/base/pool.c src/base/str.c

noinst_LIBRARIES += src/libconf.a
src_libconf_a_SOURCES = src/conf/conf.h src/conf/options.def src/conf/conf.c \
	src/conf/conf_database.c src/conf/conf_parse.c src/conf/conf_print.c

noinst_LIBRARIES += src/libipc.a
src_libipc_a_SOURCES = src/ipc/ipc.h src/ipc/msgs.def src/ipc/ipc.c \
	src/ipc/ipc_frame.c src/ipc/ipc_proc.c src/ipc/ipc_ctl.c \
	src/ipc/ipc_sandbox.c

noinst_LIBRARIES += src/libbus.a
src_libbus_a_SOURCES = src/bus/bus.h src/bus/bus_shm.h src/bus/bus.c \
	src/bus/bus_shm.c src/bus/bus_wake.c src/bus/bus_interest.c

noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES = src/net/net.h src/net/net_conn.h src/net/ends.def \
	src/net/net.c src/net/net_listen.c src/net/net_frame.c \
	src/net/net_http.c src/net/net_conn.c src/net/net_request.c \
	src/net/net_out.c src/net/net_timer.c src/net/net_ws.c \
	src/net/net_rate.c

noinst_LIBRARIES += src/libdb.a
src_libdb_a_SOURCES = src/db/db.h src/db/db_conn.h src/db/db_stmt.c \
	src/db/db_param.c src/db/db_result.c src/db/db_conn.c \
	src/db/db_query.c src/db/db_batch.c src/db/db_migrate.c \
	src/db/db_sync.c

noinst_LIBRARIES += src/libcore.a
src_libcore_a_SOURCES = src/core/core.h src/core/errors.def \
	src/core/events.def src/core/metrics.def src/core/ops.def \
	src/core/scopes.def src/core/client.c src/core/client_ack.c src/core/core.c \
	src/core/delivery.c src/core/event_record.h \
	src/core/event.c src/core/event_message.c src/core/event_session.c \
	src/core/event_state.c src/core/group.c \
	src/core/hello.c src/core/hook.c src/core/invite.c src/core/memory.c src/core/mesh.c \
	src/core/message.c src/core/message_status.c src/core/op.c \
	src/core/presence.c src/core/roster.c src/core/session.c \
	src/core/state.c src/core/table.c src/core/target.c \
	src/core/upkeep.c

noinst_LIBRARIES += src/libproto.a
src_libproto_a_SOURCES = src/proto/proto.h src/proto/proto.c \
	src/proto/proto_decode.c src/proto/proto_encode.c \
	src/proto/proto_http.c src/proto/proto_mesh.c \
	src/proto/proto_metrics.c src/proto/proto_rest.c

noinst_LIBRARIES += src/librole.a
src_librole_a_SOURCES = src/role/role.h src/role/role.c

noinst_LIBRARIES += src/libworker.a
src_libworker_a_SOURCES = src/worker/worker.h src/worker/worker.c

noinst_LIBRARIES += src/librelay.a
src_librelay_a_SOURCES = src/relay/relay.h src/relay/relay.c

noinst_LIBRARIES += src/libjobs.a
src_libjobs_a_SOURCES = src/jobs/jobs.h src/jobs/jobs.c

noinst_LIBRARIES += src/libctl.a
src_libctl_a_SOURCES = src/ctl/ctl.h src/ctl/ctl.c src/ctl/ctl_daemon.c \
	src/ctl/ctl_invite.c src/ctl/ctl_mesh.c src/ctl/ctl_out.c \
	src/ctl/ctl_seed.c

noinst_LIBRARIES += src/libmaster.a
src_libmaster_a_SOURCES = src/master/master.h src/master/master.c \
	src/master/master_accept.c src/master/master_cluster.c \
	src/master/master_conf.c src/master/master_ctl.c \
	src/master/master_postgres.c src/master/master_spawn.c \
	src/master/master_state.c

# liblinnet is installed, so it brings the objects of base with it.
include_HEADERS = include/linnet.h
lib_LIBRARIES = liblinnet.a
liblinnet_a_SOURCES = src/lib/lib.h src/lib/linnet.c src/lib/linnet_error.c \
	src/lib/linnet_hello.c src/lib/linnet_http.c src/lib/linnet_invite.c \
	src/lib/linnet_join.c src/lib/linnet_json.c src/lib/linnet_message.c \
	src/lib/linnet_request.c src/lib/linnet_send.c \
	src/lib/linnet_socket.c src/lib/linnet_target.c src/lib/linnet_url.c \
	src/lib/linnet_ws.c $(src_libbase_a_SOURCES)
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/lib/linnet.pc
LINNET_LIBS = liblinnet.a $(WSLAY_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)

noinst_LIBRARIES += src/libcli.a
src_libcli_a_SOURCES = src/cli/cli.h src/cli/cli.c src/cli/cli_args.c \
	src/cli/cli_config.c src/cli/cli_group.c src/cli/cli_inbox.c \
	src/cli/cli_join.c src/cli/cli_json.c src/cli/cli_memory.c \
	src/cli/cli_peers.c src/cli/cli_print.c src/cli/cli_send.c \
	src/cli/cli_session.c src/cli/cli_state.c src/cli/cli_table.c
bin_PROGRAMS = linnet
linnet_SOURCES = src/cli/linnet.c
linnet_LDADD = src/libcli.a $(LINNET_LIBS)

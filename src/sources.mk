# One library per directory of src; a directory is a layer or a process.

noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = src/base/base.h src/base/alloc.c src/base/bucket.c \
	src/base/buf.c src/base/clock.c src/base/crypto.c src/base/hash.c \
	src/base/id.c src/base/ip.c src/base/json_read.c \
	src/base/json_write.c src/base/log.c src/base/pool.c src/base/str.c \
	src/base/usage.c src/base/usage_complete.c src/base/usage_read.c

noinst_LIBRARIES += src/libconf.a
src_libconf_a_SOURCES = src/conf/conf.h src/conf/options.def src/conf/conf.c \
	src/conf/conf_database.c src/conf/conf_files.c src/conf/conf_parse.c \
	src/conf/conf_print.c src/conf/conf_secret.c src/conf/conf_webhook.c

noinst_LIBRARIES += src/libipc.a
src_libipc_a_SOURCES = src/ipc/files.h src/ipc/ipc.h src/ipc/msgs.def \
	src/ipc/ipc.c src/ipc/ipc_ctl.c src/ipc/ipc_fence.c \
	src/ipc/ipc_frame.c src/ipc/ipc_proc.c src/ipc/ipc_sandbox.c

noinst_LIBRARIES += src/libbus.a
src_libbus_a_SOURCES = src/bus/bus.h src/bus/bus_shm.h src/bus/bus.c \
	src/bus/bus_shm.c src/bus/bus_wake.c src/bus/bus_interest.c

noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES = src/net/net.h src/net/ends.def src/net/net_conn.h \
	src/net/net_tls.h src/net/tls.def src/net/net.c src/net/net_chunked.c \
	src/net/net_conn.c src/net/net_frame.c src/net/net_http.c \
	src/net/net_listen.c src/net/net_out.c src/net/net_range.c \
	src/net/net_request.c src/net/net_stream.c src/net/net_timer.c \
	src/net/net_tls.c src/net/net_tls_io.c src/net/net_uring.c \
	src/net/net_ws.c

noinst_LIBRARIES += src/libdb.a
src_libdb_a_SOURCES = src/db/db.h src/db/db_conn.h src/db/db_stmt.c \
	src/db/db_param.c src/db/db_result.c src/db/db_conn.c \
	src/db/db_query.c src/db/db_batch.c src/db/db_migrate.c \
	src/db/db_sync.c

noinst_LIBRARIES += src/libcore.a
src_libcore_a_SOURCES = src/core/core.h src/core/artifact.h src/core/audit.h \
	src/core/channel.h src/core/domain.h src/core/durable.h \
	src/core/durable_page.h src/core/entry.h src/core/errors.def \
	src/core/event_record.h src/core/events.def src/core/file.h \
	src/core/follow.h src/core/grant.h src/core/hello.h src/core/limits.h \
	src/core/memory.h src/core/message.h src/core/metrics.def \
	src/core/notice.h src/core/ops.def src/core/people.h \
	src/core/principal.h src/core/roles.def src/core/schedule.h \
	src/core/scopes.def src/core/search.h src/core/state.h \
	src/core/table.h src/core/token.h src/core/trace.h src/core/unit.h \
	src/core/upkeep.h src/core/visitor.h src/core/webhook.h \
	src/core/announce.c src/core/artifact.c src/core/artifact_put.c \
	src/core/attestation.c src/core/audience.c src/core/audit.c \
	src/core/audit_checkpoint.c src/core/audit_jobs.c \
	src/core/audit_ops.c src/core/block.c src/core/channel.c \
	src/core/channel_close.c src/core/channel_cursor.c \
	src/core/channel_list.c src/core/channel_member.c src/core/client.c \
	src/core/client_ack.c src/core/client_register.c src/core/command.c \
	src/core/command_list.c src/core/core.c src/core/cron.c \
	src/core/crowd.c src/core/delivery.c src/core/delivery_nudge.c \
	src/core/deputy.c src/core/durable.c src/core/durable_end.c \
	src/core/durable_fetch.c src/core/durable_mark.c \
	src/core/durable_read.c src/core/durable_store.c src/core/entry.c \
	src/core/entry_list.c src/core/entry_place.c src/core/event.c \
	src/core/event_entry.c src/core/event_message.c \
	src/core/event_moderation.c src/core/event_notice.c \
	src/core/event_relay.c src/core/event_schedule.c \
	src/core/event_session.c src/core/event_state.c src/core/file.c \
	src/core/file_attach.c src/core/file_jobs.c src/core/file_link.c \
	src/core/file_list.c src/core/file_repair.c src/core/file_transfer.c \
	src/core/file_watch.c src/core/follow.c src/core/follow_ops.c \
	src/core/grant.c src/core/grant_list.c src/core/grant_ops.c \
	src/core/group.c src/core/hello.c src/core/hello_open.c \
	src/core/hello_session.c src/core/hook.c src/core/invite.c \
	src/core/journal.c src/core/login.c src/core/mcp_session.c \
	src/core/member.c src/core/memory.c src/core/memory_search.c \
	src/core/mesh.c src/core/mesh_admin.c src/core/mesh_info.c \
	src/core/message.c src/core/message_more.c src/core/message_put.c \
	src/core/message_status.c src/core/moderation.c src/core/notice.c \
	src/core/op.c src/core/overtaken.c src/core/password.c \
	src/core/people.c src/core/people_change.c src/core/permission.c \
	src/core/permission_end.c src/core/permission_list.c \
	src/core/permission_post.c src/core/permission_tell.c \
	src/core/permission_wait.c src/core/post.c src/core/post_change.c \
	src/core/post_list.c src/core/post_parts.c src/core/post_refs.c \
	src/core/presence.c src/core/principal.c src/core/profile.c \
	src/core/pull.c src/core/pull_read.c src/core/quota.c src/core/rate.c \
	src/core/role.c src/core/roster.c src/core/schedule.c \
	src/core/schedule_due.c src/core/search.c src/core/search_suggest.c \
	src/core/search_text.c src/core/session.c src/core/session_row.c \
	src/core/state.c src/core/state_list.c src/core/state_push.c \
	src/core/state_watch.c src/core/table.c src/core/target.c \
	src/core/token.c src/core/token_ops.c src/core/token_text.c \
	src/core/token_watch.c src/core/trace.c src/core/unit.c \
	src/core/unit_derive.c src/core/unit_search.c src/core/unit_text.c \
	src/core/upkeep.c src/core/visitor.c src/core/webhook.c \
	src/core/webhook_log.c src/core/webhook_secret.c \
	src/core/webhook_send.c src/core/webhook_url.c

noinst_LIBRARIES += src/libproto.a
src_libproto_a_SOURCES = src/proto/proto.h src/proto/answers.def \
	src/proto/nouns.def src/proto/params.def src/proto/paths.def \
	src/proto/proto_file.h src/proto/proto_live.h src/proto/proto_mcp.h \
	src/proto/proto_openapi.h src/proto/proto_rest.h src/proto/proto.c \
	src/proto/proto_decode.c src/proto/proto_encode.c \
	src/proto/proto_enter.c src/proto/proto_file.c \
	src/proto/proto_file_get.c src/proto/proto_file_post.c \
	src/proto/proto_file_put.c src/proto/proto_file_redirect.c \
	src/proto/proto_http.c src/proto/proto_live.c src/proto/proto_mcp.c \
	src/proto/proto_mcp_ask.c src/proto/proto_mcp_file.c \
	src/proto/proto_mcp_head.c src/proto/proto_mcp_mesh.c \
	src/proto/proto_mesh.c src/proto/proto_metrics.c \
	src/proto/proto_openapi.c src/proto/proto_openapi_http.c \
	src/proto/proto_openapi_op.c src/proto/proto_openapi_path.c \
	src/proto/proto_openapi_schema.c src/proto/proto_rest.c \
	src/proto/proto_rest_args.c src/proto/proto_rest_error.c \
	src/proto/proto_rest_etag.c src/proto/proto_rest_page.c \
	src/proto/proto_room.c src/proto/proto_sse.c src/proto/proto_tail.c \
	src/proto/proto_ws.c

noinst_LIBRARIES += src/librole.a
src_librole_a_SOURCES = src/role/role.h src/role/role.c \
	src/role/role_beside.c src/role/role_files.c src/role/role_transfer.c

noinst_LIBRARIES += src/libworker.a
src_libworker_a_SOURCES = src/worker/worker.h src/worker/worker.c \
	src/worker/worker_trace.c

noinst_LIBRARIES += src/librelay.a
src_librelay_a_SOURCES = src/relay/relay.h src/relay/relay.c \
	src/relay/relay_mesh.c src/relay/relay_postgres.c \
	src/relay/relay_process.h src/relay/relay_transport.h

noinst_LIBRARIES += src/libjobs.a
src_libjobs_a_SOURCES = src/jobs/jobs.h src/jobs/jobs_courier.h \
	src/jobs/jobs.c src/jobs/jobs_courier.c src/jobs/jobs_http.c

noinst_LIBRARIES += src/libstore.a
src_libstore_a_SOURCES = src/store/store.h src/store/store.c \
	src/store/store_dir.c src/store/store_s3.c src/store/store_s3.h \
	src/store/store_s3_http.c src/store/store_s3_put.c \
	src/store/store_sigv4.c src/store/store_xml.c

noinst_LIBRARIES += src/libfiles.a
src_libfiles_a_SOURCES = src/files/files.h src/files/files.c \
	src/files/files_pool.c src/files/files_transfer.c

noinst_LIBRARIES += src/libctl.a
src_libctl_a_SOURCES = src/ctl/ctl.h src/ctl/ctl_audit.h src/ctl/ctl.c \
	src/ctl/ctl_args.c src/ctl/ctl_audit.c src/ctl/ctl_audit_export.c \
	src/ctl/ctl_audit_file.c src/ctl/ctl_daemon.c src/ctl/ctl_invite.c \
	src/ctl/ctl_member.c src/ctl/ctl_member_new.c src/ctl/ctl_mesh.c \
	src/ctl/ctl_mesh_change.c src/ctl/ctl_order.c src/ctl/ctl_out.c \
	src/ctl/ctl_qr.c src/ctl/ctl_seal.c src/ctl/ctl_seed.c \
	src/ctl/ctl_status.c src/ctl/ctl_table.c src/ctl/ctl_token.c \
	src/ctl/ctl_trace.c

noinst_LIBRARIES += src/libmaster.a
src_libmaster_a_SOURCES = src/master/master.h src/master/master.c \
	src/master/master_accept.c src/master/master_cluster.c \
	src/master/master_conf.c src/master/master_ctl.c \
	src/master/master_postgres.c src/master/master_spawn.c \
	src/master/master_state.c src/master/master_tls.c \
	src/master/master_trace.c

# liblinnet: for our own programs and tests an archive of its own, with all its
# names; and what is installed, made once more from the same sources: position
# independent, of its names only those of linnet.h.  The archive is one object
# in which all others are local, so that it cannot clash with a program's own.
noinst_LIBRARIES += src/liblib.a src/liblibpic.a
src_liblib_a_SOURCES = src/lib/lib.h src/lib/linnet.c \
	src/lib/linnet_channel.c src/lib/linnet_config.c \
	src/lib/linnet_error.c src/lib/linnet_file.c src/lib/linnet_follow.c \
	src/lib/linnet_hello.c src/lib/linnet_hook.c src/lib/linnet_http.c \
	src/lib/linnet_identity.c src/lib/linnet_invite.c \
	src/lib/linnet_join.c src/lib/linnet_json.c src/lib/linnet_loop.c \
	src/lib/linnet_message.c src/lib/linnet_ops.c \
	src/lib/linnet_permission.c src/lib/linnet_receive.c \
	src/lib/linnet_request.c src/lib/linnet_result.c \
	src/lib/linnet_retry.c src/lib/linnet_seen.c src/lib/linnet_send.c \
	src/lib/linnet_socket.c src/lib/linnet_target.c src/lib/linnet_tls.c \
	src/lib/linnet_url.c src/lib/linnet_watch.c src/lib/linnet_ws.c
src_liblibpic_a_SOURCES = $(src_liblib_a_SOURCES) $(src_libbase_a_SOURCES)
src_liblibpic_a_CFLAGS = $(AM_CFLAGS) -fPIC -fvisibility=hidden
LINNET_LIBS = src/liblib.a src/libbase.a $(WSLAY_LIBS) $(SODIUM_LIBS) \
	$(SSL_LIBS) $(CRYPTO_LIBS)

# The soname changes when programs would have to be built again.
LINNET_SO = liblinnet.so.0
LINNET_SO_FILE = $(LINNET_SO).0.0
include_HEADERS = include/linnet.h include/linnet_channels.h \
	include/linnet_permissions.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/lib/linnet.pc
noinst_DATA = liblinnet.a $(LINNET_SO_FILE)
EXTRA_DIST += src/lib/linnet.map
CLEANFILES += liblinnet.a liblinnet.o $(LINNET_SO_FILE)

liblinnet.a: src/liblibpic.a
	$(AM_V_GEN)rm -f $@ liblinnet.o && \
	    $(LD) -r -o liblinnet.o --whole-archive src/liblibpic.a && \
	    $(OBJCOPY) --localize-hidden liblinnet.o && \
	    $(AR) $(ARFLAGS) $@ liblinnet.o && $(RANLIB) $@

$(LINNET_SO_FILE): src/liblibpic.a src/lib/linnet.map
	$(AM_V_CCLD)$(CC) $(AM_CFLAGS) $(CFLAGS) -fPIC -shared \
	    -Wl,-soname,$(LINNET_SO) \
	    -Wl,--version-script,$(srcdir)/src/lib/linnet.map \
	    $(LINNET_SO_LDFLAGS) $(LDFLAGS) -o $@ \
	    -Wl,--whole-archive src/liblibpic.a -Wl,--no-whole-archive \
	    $(WSLAY_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

install-data-local: liblinnet.a $(LINNET_SO_FILE)
	$(MKDIR_P) '$(DESTDIR)$(libdir)'
	$(INSTALL_DATA) liblinnet.a '$(DESTDIR)$(libdir)/liblinnet.a'
	$(INSTALL_DATA) $(LINNET_SO_FILE) \
	    '$(DESTDIR)$(libdir)/$(LINNET_SO_FILE)'
	ln -sf $(LINNET_SO_FILE) '$(DESTDIR)$(libdir)/$(LINNET_SO)'
	ln -sf $(LINNET_SO) '$(DESTDIR)$(libdir)/liblinnet.so'

uninstall-local:
	rm -f '$(DESTDIR)$(libdir)/liblinnet.a' \
	    '$(DESTDIR)$(libdir)/$(LINNET_SO_FILE)' \
	    '$(DESTDIR)$(libdir)/$(LINNET_SO)' \
	    '$(DESTDIR)$(libdir)/liblinnet.so'

noinst_LIBRARIES += src/libmcp.a
src_libmcp_a_SOURCES = src/mcp/mcp.h src/mcp/mcp_request.h src/mcp/mcp.c \
	src/mcp/mcp_args.c src/mcp/mcp_channel.c src/mcp/mcp_channel_table.c \
	src/mcp/mcp_complete.c src/mcp/mcp_file.c src/mcp/mcp_file_table.c \
	src/mcp/mcp_guide.c src/mcp/mcp_hello.c src/mcp/mcp_inbox.c \
	src/mcp/mcp_input.c src/mcp/mcp_message.c src/mcp/mcp_permission.c \
	src/mcp/mcp_permission_table.c src/mcp/mcp_project.c \
	src/mcp/mcp_prompt.c src/mcp/mcp_push.c src/mcp/mcp_resource.c \
	src/mcp/mcp_rpc.c src/mcp/mcp_schema.c src/mcp/mcp_subscribe.c \
	src/mcp/mcp_tool.c src/mcp/mcp_tools.c src/mcp/mcp_wait.c

noinst_LIBRARIES += src/libcli.a
src_libcli_a_SOURCES = src/cli/cli.h src/cli/cli_doctor.h src/cli/cli_edit.h \
	src/cli/cli_host.h src/cli/cli_mcp.h src/cli/cli_options.h \
	src/cli/cli.c src/cli/cli_args.c src/cli/cli_ask.c \
	src/cli/cli_block.c src/cli/cli_channel.c src/cli/cli_command.c \
	src/cli/cli_commands.c src/cli/cli_config.c src/cli/cli_diff.c \
	src/cli/cli_doctor.c src/cli/cli_doctor_mesh.c src/cli/cli_edit.c \
	src/cli/cli_file.c src/cli/cli_file_place.c src/cli/cli_follow.c \
	src/cli/cli_foreign.c src/cli/cli_grant.c src/cli/cli_group.c \
	src/cli/cli_help.c src/cli/cli_hook.c src/cli/cli_host.c \
	src/cli/cli_inbox.c src/cli/cli_install.c src/cli/cli_join.c \
	src/cli/cli_json.c src/cli/cli_launch.c src/cli/cli_mcp.c \
	src/cli/cli_mcp_channel.c src/cli/cli_mcp_child.c \
	src/cli/cli_mcp_file.c src/cli/cli_mcp_mesh.c \
	src/cli/cli_mcp_notice.c src/cli/cli_mcp_self.c \
	src/cli/cli_mcp_send.c src/cli/cli_memory.c src/cli/cli_mesh.c \
	src/cli/cli_notice.c src/cli/cli_order.c src/cli/cli_peers.c \
	src/cli/cli_presence.c src/cli/cli_print.c src/cli/cli_prompt.c \
	src/cli/cli_replay.c src/cli/cli_request.c src/cli/cli_schedule.c \
	src/cli/cli_screen.c src/cli/cli_search.c src/cli/cli_send.c \
	src/cli/cli_session.c src/cli/cli_slot.c src/cli/cli_state.c \
	src/cli/cli_status.c src/cli/cli_table.c src/cli/cli_token.c \
	src/cli/cli_toml.c src/cli/cli_watch.c
bin_PROGRAMS = linnet
linnet_SOURCES = src/cli/linnet.c
linnet_LDADD = src/libcli.a src/libmcp.a $(LINNET_LIBS)

# linnet-bench: a library, too, for t/load.
noinst_LIBRARIES += src/libbench.a
src_libbench_a_SOURCES = src/bench/bench.h src/bench/figures.def \
	src/bench/bench.c src/bench/bench_bare.c src/bench/bench_channel.c \
	src/bench/bench_conn.c src/bench/bench_flow.c src/bench/bench_goal.c \
	src/bench/bench_hand.c src/bench/bench_hist.c src/bench/bench_json.c \
	src/bench/bench_lead.c src/bench/bench_linnetd.c \
	src/bench/bench_mesh.c src/bench/bench_nats.c \
	src/bench/bench_option.c src/bench/bench_peer.c \
	src/bench/bench_plot.c src/bench/bench_proc.c \
	src/bench/bench_report.c src/bench/bench_result.c \
	src/bench/bench_scenario.c src/bench/bench_server.c \
	src/bench/bench_set.c src/bench/bench_tls.c src/bench/bench_ws.c
src_libbench_a_CPPFLAGS = $(AM_CPPFLAGS) \
	-DBENCH_SCRIPTS='"$(pkgdatadir)/bench"'
BENCH_LIBS = src/libbench.a src/libbase.a $(SODIUM_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS) -lm
bin_PROGRAMS += linnet-bench
linnet_bench_SOURCES = src/bench/linnet_bench.c
linnet_bench_LDADD = $(BENCH_LIBS)

# One library per directory of src; a directory is a layer or a process.

noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = src/base/base.h src/base/alloc.c src/base/buf.c \
	src/base/clock.c src/base/crypto.c src/base/hash.c src/base/id.c \
	src/base/json_read.c src/base/json_write.c src/base/log.c \
	src/base/pool.c src/base/str.c

noinst_LIBRARIES += src/libconf.a
src_libconf_a_SOURCES = src/conf/conf.h src/conf/options.def src/conf/conf.c \
	src/conf/conf_parse.c src/conf/conf_print.c

noinst_LIBRARIES += src/libipc.a
src_libipc_a_SOURCES = src/ipc/ipc.h src/ipc/msgs.def src/ipc/ipc.c \
	src/ipc/ipc_frame.c src/ipc/ipc_proc.c src/ipc/ipc_ctl.c

noinst_LIBRARIES += src/libbus.a
src_libbus_a_SOURCES = src/bus/bus.h src/bus/bus_shm.h src/bus/bus.c \
	src/bus/bus_shm.c src/bus/bus_wake.c src/bus/bus_interest.c

noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES = src/net/net.h src/net/ends.def src/net/net_listen.c \
	src/net/net_frame.c src/net/net_http.c src/net/net_conn.c \
	src/net/net_ws.c src/net/net_rate.c

noinst_LIBRARIES += src/libdb.a
src_libdb_a_SOURCES = src/db/db.h src/db/db_stmt.c src/db/db_param.c \
	src/db/db_result.c src/db/db_conn.c src/db/db_batch.c \
	src/db/db_migrate.c src/db/db_sync.c

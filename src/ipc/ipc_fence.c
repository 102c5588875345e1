/* SPDX-License-Identifier: ISC */
/*
 * The fence: Landlock (landlock(7)), which says what of the file system a
 * process can reach.  The filter of system calls cannot look at a path; a
 * changed root needs a root to give up, and takes everything else away.  Where
 * the kernel has none, or one that does not know renames between directories,
 * the process goes without.
 */
#include "config.h" /* O_PATH */

#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#define FENCE_VERSION 2 /* of Landlock: it knows REFER */

#define FENCE_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FENCE_CHANGE                                                      \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
#define FENCE_NEVER                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |      \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int
fence_add(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr below = { .allowed_access = access };
	int r;

	below.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (below.parent_fd == -1)
		return -1;
	r = (int)syscall(SYS_landlock_add_rule, rules,
	    LANDLOCK_RULE_PATH_BENEATH, &below, 0);
	close(below.parent_fd);
	return r;
}

static int
fence_close(int rules, const char *dir, bool read_all)
{
	if (fence_add(rules, dir, FENCE_READ | FENCE_CHANGE) == -1 ||
	    (read_all && fence_add(rules, "/", FENCE_READ) == -1))
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, rules, 0);
}

void
ipc_fence(const char *dir, bool read_all)
{
	struct landlock_ruleset_attr all = {
		.handled_access_fs = FENCE_READ | FENCE_CHANGE | FENCE_NEVER
	};
	int rules;

#ifdef LINNET_SANITIZERS
	return; /* the leak checker reads /proc */
#endif
	if (syscall(SYS_landlock_create_ruleset, NULL, 0,
		LANDLOCK_CREATE_RULESET_VERSION) < FENCE_VERSION) {
		log_debug("the kernel has no Landlock");
		return;
	}
	rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules == -1 || fence_close(rules, dir, read_all) == -1)
		fatal("the fence around %s", dir);
	close(rules);
}

/* SPDX-License-Identifier: ISC */
/*
 * linnetctl(8): main.  Reads the command line and the configuration of the
 * daemon, which says where that and its database are, and runs the command.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"

#define LINNETCTL_CONF SYSCONFDIR "/linnet/linnetd.conf"

static void
linnetctl_conf(struct ctl *c)
{
	const char *file = ctl_given(c, "config");
	const char *database = ctl_given(c, "database");
	char *error;
	size_t i;

	c->conf = conf_new();
	if (file != NULL || access(LINNETCTL_CONF, R_OK) == 0)
		if (conf_load(c->conf, file != NULL ? file : LINNETCTL_CONF,
			&error) != 0)
			ctl_fail(EX_CONFIG, "%s", error);
	for (i = 0; i < c->line.ngiven; i++)
		if (strcmp(c->line.given[i].option->name, "option") == 0 &&
		    conf_set(c->conf, c->line.given[i].value, &error) != 0)
			ctl_fail(EX_CONFIG, "%s", error);
	if (database != NULL && conf_put(c->conf, conf_find("database"),
				    database, CONF_LINE, &error) != 0)
		ctl_fail(EX_USAGE, "--database: %s", error);
	if (conf_check(c->conf, &error) != 0)
		ctl_fail(EX_CONFIG, "%s", error);
}

int
main(int argc, char **argv)
{
	struct ctl c;

	memset(&c, 0, sizeof(c));
	log_start("linnetctl", LOG_WARN);
	clock_update();
	crypto_start();
	ctl_args_read(&c, argc, argv);
	if (c.command->needs != CTL_NOTHING)
		linnetctl_conf(&c);
	if (c.command->needs == CTL_DATABASE)
		ctl_database(&c);
	c.command->run(&c);
	if (c.db != NULL)
		db_sync_close(c.db);
	conf_free(c.conf);
	if (fflush(stdout) != 0 || ferror(stdout))
		ctl_fail(EX_IOERR, "the output could not be written");
	return 0;
}

# SPDX-License-Identifier: ISC
#
# Migrations NNNN_name.sql -> MIGRATION(version, name, text) rows for
# db_migrate.c.  The numbers are 1, 2, 3 ... in the order of the arguments.
#
# usage: awk -f quote.awk -f embed.awk 0001_x.sql 0002_y.sql ...

BEGIN {
	print "/* Made from sql/ by embed.awk. */"
}

FNR == 1 {
	if (version > 0)
		print ")"
	name = FILENAME
	sub(/.*\//, "", name)
	if (name !~ /^[0-9][0-9][0-9][0-9]_[a-z0-9_]+[.]sql$/)
		die("a migration is called NNNN_name.sql")
	if (substr(name, 1, 4) + 0 != version + 1)
		die("expected migration number " version + 1)
	version++
	sub(/^[0-9]*_/, "", name)
	sub(/[.]sql$/, "", name)
	printf "MIGRATION(%d, \"%s\",", version, name
}

{
	printf "\n    %s", quote($0)
}

END {
	if (!failed && version > 0)
		print ")"
}

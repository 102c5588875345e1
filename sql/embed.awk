# SPDX-License-Identifier: ISC
#
# Migrations NNNN_name.sql -> MIGRATION(version, name, compatible, text) rows
# for db_migrate.c.  The numbers are 1, 2, 3 ... in the order of the arguments.
#
# A first line `-- compatible: N` says that programs that know version N or a
# newer one may run on the schema that this migration makes.  Without it they
# must know this very migration.
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
	compatible = version
	if ($0 ~ /^-- compatible:/) {
		if ($0 !~ /^-- compatible: [1-9][0-9]*$/ || $3 + 0 > version)
			die("expected -- compatible: N, at most " version)
		compatible = $3 + 0
	}
	printf "MIGRATION(%d, \"%s\", %d,", version, name, compatible
}

{
	printf "\n    %s", quote($0)
}

END {
	if (!failed && version > 0)
		print ")"
}

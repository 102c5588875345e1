# SPDX-License-Identifier: ISC
#
# SQL statements -> STMT(name, nparams, ngroup, types, warm, text) rows for
# db.h.
#
# A statement begins after a line `-- name: x`, or `-- name: x batch N` when
# its parameters are arrays of which the first N form one row per item, and
# `warm` last when it is planned as soon as there is a connection.  Every
# parameter has a cast at one place at least: the cast is its type, here one
# letter of a string.  Text after `--` is a comment.
#
# usage: awk -f quote.awk -f stmts.awk stmts.sql

BEGIN {
	# The letters are those of enum db_type.
	letter["uuid"] = "u"
	letter["int8"] = "l"
	letter["int4"] = "i"
	letter["int2"] = "s"
	letter["bool"] = "b"
	letter["text"] = "t"
	letter["bytea"] = "y"
	letter["timestamptz"] = "z"
	letter["json"] = "j"
	letter["jsonb"] = "J"
	letter["float8"] = "d"
	letter["text[]"] = "T"
	params_max = 64
	print "/* Made from sql/ by stmts.awk. */"
}

/^-- name:/ {
	finish()
	if ($3 !~ /^[a-z][a-z0-9_]*$/)
		die("a name is lower-case letters, digits and _")
	if ($3 in seen)
		die("the second statement called " $3)
	name = $3
	seen[name] = 1
	ngroup = 0
	n = NF
	warm = n > 3 && $n == "warm"
	n -= warm
	if (n > 3) {
		if (n != 5 || $4 != "batch" || $5 !~ /^[1-9][0-9]*$/)
			die("expected: -- name: x batch N warm")
		ngroup = $5 + 0
	}
	text = ""
	count = 0
	ended = 0
	quoted = 0
	split("", type)
	next
}

{
	line = scan($0)
	if (line ~ /^[ \t]*$/)
		next
	if (name == "")
		die("a statement without a name")
	text = text "\n    " quote(line)
}

END {
	if (!failed)
		finish()
}

# Notes the parameters of a line; returns it without comment and semicolon.
function scan(s, i, c, n, rest) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		rest = substr(s, i)
		if (ended && c !~ /[ \t]/ && rest !~ /^--/)
			die(name ": text after the semicolon")
		if (c == "'")
			quoted = !quoted
		else if (quoted)
			continue
		else if (rest ~ /^--/)
			return substr(s, 1, i - 1)
		else if (c == ";") {
			ended = 1
			s = substr(s, 1, i - 1) " " substr(s, i + 1)
		} else if (c == "$") {
			if (!match(rest, /^[$][1-9][0-9]*/))
				die(name ": $ is for parameters only")
			n = RLENGTH
			param(substr(rest, 2, n - 1) + 0, substr(rest, n + 1))
			i += n - 1
		}
	}
	return s
}

function param(n, rest, t) {
	if (n > params_max)
		die(name ": more than " params_max " parameters")
	if (n > count)
		count = n
	if (!match(rest, /^::[a-z0-9]+/))
		return
	t = substr(rest, 3, RLENGTH - 2)
	if (substr(rest, RLENGTH + 1, 2) == "[]")
		t = t "[]"
	if (n in type && type[n] != t)
		die(name ": $" n " is " type[n] " here and " t " there")
	type[n] = t
}

function finish(i, t, types) {
	if (name == "")
		return
	if (text == "")
		die(name ": no statement")
	if (quoted)
		die(name ": a string without an end")
	if (ngroup > count)
		die(name ": fewer parameters than its group")
	types = ""
	for (i = 1; i <= count; i++) {
		if (!(i in type))
			die(name ": $" i " has no cast")
		t = type[i]
		if (ngroup > 0) {
			if (t !~ /\[\]$/)
				die(name ": $" i " is no array")
			sub(/\[\]$/, "", t)
			if ((i == 1 || i == ngroup + 1) && t != "int4")
				die(name ": $" i " is the ordinal, an int4[]")
		}
		if (!(t in letter))
			die(name ": $" i " is of unknown type " type[i])
		types = types letter[t]
	}
	printf "STMT(%s, %d, %d, \"%s\", %d,%s)\n", name, count, ngroup,
	    types, warm, text
}

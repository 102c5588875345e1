# SPDX-License-Identifier: ISC
#
# Shared by stmts.awk and embed.awk: text as a C string.

# Character by character: what gsub() makes of a backslash differs between
# awks.
function quote(s, i, c, r) {
	r = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\\" || c == "\"")
			r = r "\\" c
		else if (c == "\t")
			r = r "\\t"
		else if (c == "?")	# no trigraphs
			r = r "\\?"
		else
			r = r c
	}
	return "\"" r "\\n\""
}

function die(message) {
	print FILENAME ":" FNR ": " message | "cat >&2"
	close("cat >&2")
	failed = 1
	exit 1
}

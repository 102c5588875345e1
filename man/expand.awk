# Replaces each line @NAME@ by what `linnet-dump NAME` prints, and @COMMANDS@ by
# what `linnet help --mdoc` does, @TOOLS@ by what `linnet mcp --mdoc` does, and
# @PROMPTS@ by the same of prompts.
/^@[A-Z]+@$/ {
	name = substr($0, 2, length($0) - 2)
	cmd = name == "COMMANDS" ? commands : \
	    name == "TOOLS" ? tools : \
	    name == "PROMPTS" ? prompts : dump " " name
	while ((cmd | getline line) > 0)
		print line
	if (close(cmd) != 0)
		exit 1
	next
}
{ print }

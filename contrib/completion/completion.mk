# Completion of command lines, which the programs print from their tables of
# commands: a word in COMPLETED for each program that has `completion`.
COMPLETED = linnet linnet-bench linnetctl

bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = $(COMPLETED:%=contrib/completion/bash/%)
zshcompletiondir = $(datadir)/zsh/site-functions
zshcompletion_DATA = $(COMPLETED:%=contrib/completion/zsh/_%)
fishcompletiondir = $(datadir)/fish/vendor_completions.d
fishcompletion_DATA = $(COMPLETED:%=contrib/completion/fish/%.fish)
CLEANFILES += $(bashcompletion_DATA) $(zshcompletion_DATA) \
	$(fishcompletion_DATA)

COMPLETE = $(AM_V_GEN)$(MKDIR_P) $(@D) && ./$< completion $(SHELL_OF) \
	>$@.tmp && mv $@.tmp $@
$(bashcompletion_DATA): SHELL_OF = bash
$(zshcompletion_DATA): SHELL_OF = zsh
$(fishcompletion_DATA): SHELL_OF = fish
$(bashcompletion_DATA): contrib/completion/bash/%: %$(EXEEXT)
	$(COMPLETE)
$(zshcompletion_DATA): contrib/completion/zsh/_%: %$(EXEEXT)
	$(COMPLETE)
$(fishcompletion_DATA): contrib/completion/fish/%.fish: %$(EXEEXT)
	$(COMPLETE)

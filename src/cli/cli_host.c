/* SPDX-License-Identifier: ISC */
/*
 * The table of hosts: where each keeps its configuration, and what an entry of
 * linnet looks like there.  A new host is a row here, and nothing else.
 *
 * Hooks take messages (--messages) only where the host gives what they print
 * to the model.
 */
#include "cli/cli_host.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_MORE_ENTRIES       \
	{                     \
		0, NULL, NULL \
	}
#define NO_MORE_FILES                                  \
	{                                              \
		NULL, NULL, NULL, NULL, HOST_END, NULL \
	}

/* A hook of Claude Code, and of those who took over its format. */
#define HOOK(event, words, timeout)                                             \
	{                                                                       \
		HOST_HOOK, "hooks/" event,                                      \
		    "{\"hooks\":[{\"type\":\"command\",\"command\":\"$H " words \
		    "\",\"timeout\":" timeout "}]}"                             \
	}

static const struct host_entry claude_server[] = {
	{ HOST_SERVER, "mcpServers/linnet",
	    "{\"type\":\"stdio\",\"command\":$P,\"args\":[$A\"mcp\"],"
	    "\"env\":{}}" },
	NO_MORE_ENTRIES,
};

/* Its timeouts are in seconds. */
static const struct host_entry claude_hooks[] = {
	HOOK("SessionStart", "start --messages", "5"),
	HOOK("UserPromptSubmit", "prompt --messages", "5"),
	HOOK("Stop", "stop", "5"),
	NO_MORE_ENTRIES,
};

static const struct host_file claude_files[] = {
	{ "CLAUDE_CONFIG_DIR", ".claude.json", ".claude.json", NULL, HOST_JSON,
	    claude_server },
	{ "CLAUDE_CONFIG_DIR", "settings.json", ".claude/settings.json", NULL,
	    HOST_JSON, claude_hooks },
	NO_MORE_FILES,
};

/* It gives a server only the variables that it is told to. */
static const struct host_entry codex_server[] = {
	{ HOST_SERVER, "mcp_servers.linnet",
	    "command = $P\n"
	    "args = [$A\"mcp\"]\n"
	    "env_vars = [\"LINNET_CONFIG\", \"LINNET_MESH\", "
	    "\"LINNET_NAME\", \"LINNET_ROLE\", \"LINNET_GROUPS\", "
	    "\"LINNET_SESSION\"]\n" },
	NO_MORE_ENTRIES,
};

static const struct host_file codex_files[] = {
	{ "CODEX_HOME", "config.toml", ".codex/config.toml", NULL, HOST_TOML,
	    codex_server },
	{ "CODEX_HOME", "hooks.json", ".codex/hooks.json", NULL, HOST_JSON,
	    claude_hooks },
	NO_MORE_FILES,
};

/* Its timeouts are in milliseconds. */
static const struct host_entry gemini_entries[] = {
	{ HOST_SERVER, "mcpServers/linnet",
	    "{\"command\":$P,\"args\":[$A\"mcp\"]}" },
	HOOK("SessionStart", "start --messages", "5000"),
	HOOK("BeforeAgent", "prompt --messages", "5000"),
	HOOK("AfterAgent", "stop", "5000"),
	NO_MORE_ENTRIES,
};

static const struct host_file gemini_files[] = {
	{ "GEMINI_CLI_HOME", ".gemini/settings.json", ".gemini/settings.json",
	    NULL, HOST_JSONC, gemini_entries },
	NO_MORE_FILES,
};

static const struct host_entry opencode_server[] = {
	{ HOST_SERVER, "mcp/linnet",
	    "{\"type\":\"local\",\"command\":[$P,$A\"mcp\"],"
	    "\"enabled\":true}" },
	NO_MORE_ENTRIES,
};

static const struct host_entry opencode_plugin[] = {
	{ HOST_HOOK, "",
	    "// Written by linnet install; linnet uninstall removes it.\n"
	    "import { spawn } from \"node:child_process\"\n"
	    "\n"
	    "let said = \"\"\n"
	    "const hook = (event) => {\n"
	    "  if (event === said) return\n"
	    "  said = event\n"
	    "  spawn(\"sh\", [\"-c\", \"$H \" + event], { stdio: \"ignore\" "
	    "})\n"
	    "    .on(\"error\", () => {})\n"
	    "}\n"
	    "\n"
	    "export const Linnet = async () => ({\n"
	    "  event: async ({ event }) => {\n"
	    "    const status = event.properties?.status?.type\n"
	    "    if (event.type === \"session.idle\") hook(\"stop\")\n"
	    "    else if (event.type === \"session.status\" && status === "
	    "\"busy\")\n"
	    "      hook(\"prompt\")\n"
	    "  },\n"
	    "})\n" },
	NO_MORE_ENTRIES,
};

static const struct host_file opencode_files[] = {
	{ "XDG_CONFIG_HOME", "opencode/opencode.json",
	    ".config/opencode/opencode.json", "c", HOST_JSONC,
	    opencode_server },
	{ "XDG_CONFIG_HOME", "opencode/plugins/linnet.js",
	    ".config/opencode/plugins/linnet.js", NULL, HOST_OWN,
	    opencode_plugin },
	NO_MORE_FILES,
};

static const struct host_entry cursor_server[] = {
	{ HOST_SERVER, "mcpServers/linnet",
	    "{\"command\":$P,\"args\":[$A\"mcp\"]}" },
	NO_MORE_ENTRIES,
};

static const struct host_entry cursor_hooks[] = {
	{ HOST_NEEDED, "version", "1" },
	{ HOST_HOOK, "hooks/sessionStart",
	    "{\"command\":\"$H start --messages\"}" },
	{ HOST_HOOK, "hooks/beforeSubmitPrompt",
	    "{\"command\":\"$H prompt\"}" },
	{ HOST_HOOK, "hooks/stop", "{\"command\":\"$H stop\"}" },
	NO_MORE_ENTRIES,
};

static const struct host_file cursor_files[] = {
	{ NULL, NULL, ".cursor/mcp.json", NULL, HOST_JSONC, cursor_server },
	{ NULL, NULL, ".cursor/hooks.json", NULL, HOST_JSONC, cursor_hooks },
	NO_MORE_FILES,
};

static const struct host_entry vscode_server[] = {
	{ HOST_SERVER, "servers/linnet",
	    "{\"type\":\"stdio\",\"command\":$P,\"args\":[$A\"mcp\"]}" },
	NO_MORE_ENTRIES,
};

static const struct host_file vscode_files[] = {
	{ "XDG_CONFIG_HOME", "Code/User/mcp.json", ".config/Code/User/mcp.json",
	    NULL, HOST_JSONC, vscode_server },
	NO_MORE_FILES,
};

const struct host cli_hosts[] = {
	{ "claude", "Claude Code", "claude",
	    "--dangerously-load-development-channels=server:linnet",
	    "CLAUDE_CONFIG_DIR", ".claude",
	    "linnet launch starts it so that messages wake it.", claude_files },
	{ "codex", "Codex", "codex", NULL, "CODEX_HOME", ".codex",
	    "It runs hooks only after you trusted them: start it and type "
	    "/hooks.",
	    codex_files },
	{ "gemini", "Gemini CLI", "gemini", NULL, NULL, ".gemini", NULL,
	    gemini_files },
	{ "opencode", "OpenCode", "opencode", NULL, NULL, ".config/opencode",
	    NULL, opencode_files },
	{ "cursor", "Cursor", "cursor-agent", NULL, NULL, ".cursor", NULL,
	    cursor_files },
	{ "vscode", "Visual Studio Code", "code", NULL, NULL, ".config/Code",
	    NULL, vscode_files },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct host *
cli_host(const char *name)
{
	const struct host *h;

	for (h = cli_hosts; h->name != NULL; h++)
		if (strcmp(h->name, name) == 0)
			return h;
	return NULL;
}

/* NULL when it is not set, or empty. */
static const char *
host_env(const char *name)
{
	const char *value = name != NULL ? getenv(name) : NULL;

	return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *
cli_host_path(struct cli *c, const struct host_file *f)
{
	const char *dir = host_env(f->variable), *home = host_env("HOME");
	const char *path, *other;

	if (dir != NULL)
		path = pool_printf(&c->pool, "%s/%s", dir, f->below);
	else if (home != NULL)
		path = pool_printf(&c->pool, "%s/%s", home, f->home);
	else
		return NULL;
	if (f->instead == NULL)
		return path;
	other = pool_printf(&c->pool, "%s%s", path, f->instead);
	return access(other, F_OK) == 0 ? other : path;
}

const char *
cli_host_program(struct cli *c, const char *name)
{
	const char *path = host_env("PATH"), *p = path, *full;
	struct stat st;
	size_t n;

	for (; p != NULL && *p != '\0'; p += n + (p[n] == ':')) {
		n = strcspn(p, ":");
		if (n == 0 || p[0] != '/')
			continue;
		full = pool_printf(&c->pool, "%.*s/%s", (int)n, p, name);
		if (access(full, X_OK) == 0 && stat(full, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return full;
	}
	return NULL;
}

bool
cli_host_found(struct cli *c, const struct host *h)
{
	const char *home = host_env("HOME");

	if (host_env(h->dir_variable) != NULL ||
	    cli_host_program(c, h->program) != NULL)
		return true;
	return home != NULL &&
	       access(pool_printf(&c->pool, "%s/%s", home, h->dir), F_OK) == 0;
}

const char *
cli_host_self(struct cli *c)
{
	const char *found = cli_host_program(c, "linnet");
	struct stat a, b;
	char exe[PATH_MAX];
	ssize_t n;

	/* A name of the search path may be a link that outlives an upgrade. */
	if (stat("/proc/self/exe", &a) == 0 && found != NULL &&
	    stat(found, &b) == 0 && a.st_ino == b.st_ino &&
	    a.st_dev == b.st_dev)
		return found;
	if ((n = readlink("/proc/self/exe", exe, sizeof(exe))) > 0 &&
	    (size_t)n < sizeof(exe))
		return pool_strndup(&c->pool, exe, (size_t)n);
	return "linnet";
}

/* A word for the shell. */
static void
host_shell(struct buf *b, const char *word)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "/._-+:@";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		buf_adds(b, word);
		return;
	}
	buf_addc(b, '\'');
	for (; *word != '\0'; word++)
		if (*word == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *word);
	buf_addc(b, '\'');
}

/* The JSON of a string. */
static void
host_json(struct buf *b, const char *text)
{
	struct json_writer w;

	json_start(&w, b);
	json_str(&w, text);
}

static void
host_expand(struct cli *c, char what, struct buf *b)
{
	const char *self = cli_host_self(c), *file = c->config_file;
	struct buf words, json;

	if (file != NULL && file[0] != '/') {
		char *full = realpath(file, NULL);

		file = full != NULL ? pool_strndup(&c->pool, full, strlen(full))
				    : file;
		free(full);
	}
	buf_init(&words, 1u << 16);
	buf_init(&json, 1u << 17);
	if (what == 'P')
		host_json(b, self);
	else if (what == 'A' && file != NULL) {
		buf_adds(b, "\"--config\", ");
		host_json(b, file);
		buf_adds(b, ", ");
	} else if (what == 'H') {
		host_shell(&words, self);
		if (file != NULL) {
			buf_adds(&words, " --config ");
			host_shell(&words, file);
		}
		buf_adds(&words, " hook");
		host_json(&json, buf_str(&words));
		buf_add(b, json.data + 1, json.len - 2);
	}
	buf_free(&words);
	buf_free(&json);
}

const char *
cli_host_value(struct cli *c, const char *value)
{
	const char *p = value, *text;
	struct buf b;
	size_t n;

	buf_init(&b, 1u << 20);
	for (; *p != '\0'; p += n) {
		n = strcspn(p, "$");
		if (n > 0)
			buf_add(&b, p, n);
		else {
			n = 2;
			host_expand(c, p[1], &b);
		}
	}
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	text = pool_strndup(&c->pool, b.data, b.len);
	buf_free(&b);
	return text;
}

bool
cli_host_is_ours(const char *command, bool hook)
{
	const char *end = hook ? strstr(command, " hook ") : NULL, *config;
	size_t n;

	if (hook && end == NULL)
		return false;
	if (hook && (config = strstr(command, " --config ")) != NULL &&
	    config < end)
		end = config;
	n = end != NULL ? (size_t)(end - command) : strlen(command);
	while (n > 0 && (command[n - 1] == '\'' || command[n - 1] == '"'))
		n--;
	return n >= 6 && memcmp(command + n - 6, "linnet", 6) == 0 &&
	       (n == 6 || strchr("/'\"", command[n - 7]) != NULL);
}

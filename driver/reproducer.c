/* SPDX-License-Identifier: Apache-2.0 */
/* driver/reproducer.c - what is left behind when this program crashes.
 *
 * Passes are deterministic, so the input and the command line reproduce every state: keeping them
 * costs nothing while all goes well. When a signal ends the process, the handler writes
 * pimopt-crash.pim: one comment line per argument, then the text of a text input; a model in
 * another form is named by path.
 * `--run-reproducer` reads that back.
 *
 * A signal handler finds its data in static memory only, so this file keeps one `watch`; it belongs
 * to the process, not to the library. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/driver.h"
#include "driver/process.h"

static const char file_name[] = "pimopt-crash.pim";
static const char argument_mark[] = "// pimopt-argument: ";
static const char input_mark[] = "// pimopt-input: ";

typedef struct watch {
	const char *header; /* ready to be written */
	size_t n_header;
	const char *text;
	size_t n_text;
	const char *volatile pass;
} watch;

static watch now;

/* The handler's own stack: the process may have used up its own. */
static char handler_stack[1 << 16];

/* ---- the crash ---- */

static void write_bytes(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t done = write(fd, s, n);
		if (done <= 0)
			return;
		s += done;
		n -= (size_t)done;
	}
}

static void write_string(int fd, const char *s)
{
	write_bytes(fd, s, strlen(s));
}

static void say(const char *what)
{
	write_string(STDERR_FILENO, "pimopt: crashed");
	if (now.pass) {
		write_string(STDERR_FILENO, " in pass '");
		write_string(STDERR_FILENO, now.pass);
		write_string(STDERR_FILENO, "'");
	}
	write_string(STDERR_FILENO, what);
}

static void leave_reproducer(int signal_number)
{
	process_clean_up();
	int fd = open(file_name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0) {
		say("; cannot write a reproducer here\n");
	} else {
		write_bytes(fd, now.header, now.n_header);
		if (now.pass) {
			write_string(fd, "// crashed in pass ");
			write_string(fd, now.pass);
			write_string(fd, "\n");
		}
		write_bytes(fd, now.text, now.n_text);
		close(fd);
		say("; wrote pimopt-crash.pim: run `pimopt --run-reproducer pimopt-crash.pim`\n");
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* Arguments that say where things go or come from are not the crash's business. */
static bool is_kept(const options *o, int i)
{
	const char *a = o->argument[i], *before = i ? o->argument[i - 1] : "";
	if (a == o->input || !strcmp(a, "-o") || !strcmp(before, "-o"))
		return false;
	return strncmp(a, "--diagnostics", strlen("--diagnostics")) && !strchr(a, '\n');
}

static void write_header(const options *o, bool has_text, pim_text *out)
{
	pim_text_printf(out, "// pimopt %s\n", pim_version());
	for (int i = 0; i < o->n_arguments; i++)
		if (is_kept(o, i))
			pim_text_printf(out, "%s%s\n", argument_mark, o->argument[i]);
	char *real = has_text ? NULL : realpath(o->input, NULL);
	if (real)
		pim_text_printf(out, "%s%s\n", input_mark, real);
	free(real);
}

/* The text of the session's input, when it came from text. */
static const char *find_text(const session *s, size_t *n)
{
	for (int i = 0; i < s->context->n_sources; i++) {
		const pim_source *source = &s->context->sources[i];
		bool is_input = source->kind == PIM_SOURCE_text && source->name && s->o->input &&
						!strcmp(source->name, s->o->input);
		if (!is_input)
			continue;
		*n = source->bytes;
		return source->text;
	}
	return NULL;
}

static void catch_crashes(void)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	struct sigaction action = {
		.sa_handler = leave_reproducer, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK};
	stack_t own = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack}, old;
	if (!sigaltstack(NULL, &old) && old.ss_flags & SS_DISABLE)
		sigaltstack(&own, NULL);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
}

void reproducer_arm(const options *o, const session *s, const char *text, size_t n)
{
	pim_text header = {0};
	if (!text)
		text = find_text(s, &n);
	write_header(o, text != NULL, &header);
	now = (watch){.header = pim_arena_copy(s->arena, header.s, header.n),
		.n_header = header.n,
		.text = text,
		.n_text = text ? n : 0};
	pim_text_free(&header);
	catch_crashes();
	process_watch();
}

void reproducer_note(void *user, const char *text, double part)
{
	(void)user;
	now.pass = text;
	process_note(NULL, text, part);
}

void reproducer_finish(void)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	process_quiet();
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], SIG_DFL);
	now = (watch){0};
}

/* ---- reading one back ---- */

static bool begins_with(const char *s, const char *mark)
{
	return !strncmp(s, mark, strlen(mark));
}

static char *cut_line(const char *s, pim_arena *a)
{
	return pim_arena_copy(a, s, strcspn(s, "\n"));
}

static char **collect_arguments(const char *text, const char *path, int *argc, pim_arena *a)
{
	int lines = 2;
	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	char **argv = PIM_NEW(a, char *, lines + 1);
	char *input = pim_arena_printf(a, "%s", path);
	*argc = 0;
	for (const char *s = text; s && begins_with(s, "//");
		 s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
		if (begins_with(s, argument_mark))
			argv[(*argc)++] = cut_line(s + strlen(argument_mark), a);
		if (begins_with(s, input_mark))
			input = cut_line(s + strlen(input_mark), a);
	}
	argv[(*argc)++] = input;
	return argv;
}

char **reproducer_read(const char *path, int *argc, pim_arena *a)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		process_complain("cannot open the reproducer '%s': %s", path, strerror(errno));
		return NULL;
	}
	char *head = pim_arena_alloc(a, (1 << 16) + 1);
	size_t n = fread(head, 1, 1 << 16, f);
	fclose(f);
	if (n && begins_with(head, "// pimopt "))
		return collect_arguments(head, path, argc, a);
	process_complain("'%s' is no reproducer: it does not begin with `// pimopt VERSION`", path);
	return NULL;
}

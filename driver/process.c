/* SPDX-License-Identifier: Apache-2.0 */
/* driver/process.c - unfinished files and a sign of life.
 *
 * A signal handler finds its data in static memory only, so this file keeps one `now`; it belongs
 * to the process, not to the library. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "driver/process.h"

enum { MOST_FILES = 16, PATH_ROOM = 4096 };

static struct {
	const char *program;
	bool json;
	const char *volatile doing;
	volatile sig_atomic_t ticks, percent, n_files; /* percent below 0: unknown */
	char file[MOST_FILES][PATH_ROOM];			   /* "": free */
} now;

static void write_string(const char *s)
{
	ssize_t done = write(STDERR_FILENO, s, strlen(s));
	(void)done;
}

/* ---- messages ---- */

/* The sign of life stands on the line that a message is about to take. */
static void wipe_line(void)
{
	if (now.ticks)
		write_string("\r\033[K");
}

void process_print_text(void *user, const pim_diag *d)
{
	(void)user;
	wipe_line();
	pim_diag_print(d, stderr, isatty(STDERR_FILENO));
}

void process_print_json(void *user, const pim_diag *d)
{
	(void)user;
	wipe_line();
	pim_diag_json(d, stderr);
}

void process_begin(const char *program, int argc, char **argv)
{
	static const char option[] = "--diagnostics";
	now.program = program;
	for (int i = 0; i < argc; i++) {
		bool two = !strcmp(argv[i], option) && i + 1 < argc;
		bool one =
			!strncmp(argv[i], option, sizeof option - 1) && argv[i][sizeof option - 1] == '=';
		const char *form = one ? argv[i] + sizeof option : two ? argv[i + 1] : NULL;
		if (form)
			now.json = !strcmp(form, "json");
	}
}

void process_threads(int n)
{
	char digits[12];
	snprintf(digits, sizeof digits, "%d", n);
	setenv("OPENBLAS_NUM_THREADS", digits, 0);
}

bool process_complain(const char *format, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	wipe_line();
	if (now.json)
		pim_diag_json(&(pim_diag){.severity = PIM_ERROR, .message = message}, stderr);
	else
		fprintf(stderr, "%s: error: %s\n", now.program, message);
	return false;
}

/* ---- unfinished files ---- */

static void remember(void *user, const char *path, bool unfinished)
{
	(void)user;
	for (int i = 0; i < MOST_FILES; i++) {
		bool mine = unfinished ? !now.file[i][0] : !strcmp(now.file[i], path);
		if (!mine)
			continue;
		now.file[i][0] = 0;
		if (!unfinished || strlen(path) >= PATH_ROOM)
			return;
		/* The first byte last: a handler never sees half of a path, which names another file. */
		memcpy(now.file[i] + 1, path + 1, strlen(path));
		atomic_signal_fence(memory_order_release);
		now.file[i][0] = path[0];
		return;
	}
}

void process_guard(pim_context *c)
{
	c->on_unfinished = remember;
}

void process_clean_up(void)
{
	for (int i = 0; i < MOST_FILES; i++)
		if (now.file[i][0])
			unlink(now.file[i]);
	if (now.ticks)
		write_string("\r\033[K");
}

static void end(int signal_number)
{
	process_clean_up();
	raise(signal_number);
}

/* ---- the sign of life ---- */

/* One line of text, built without the library. */
typedef struct line {
	char s[160];
	size_t n;
} line;

static void put(line *l, const char *s)
{
	while (*s && l->n < sizeof l->s)
		l->s[l->n++] = *s++;
}

static void put_number(line *l, int v)
{
	char digits[12];
	int n = sizeof digits - 1;
	digits[n] = 0;
	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	put(l, digits + n);
}

static void tick(int signal_number)
{
	(void)signal_number;
	line l = {.n = 0};
	now.ticks++;
	put(&l, "\r\033[K");
	put(&l, now.program);
	put(&l, ": ");
	put(&l, now.doing ? now.doing : "reading");
	put(&l, ", ");
	put_number(&l, now.ticks);
	put(&l, " s");
	if (now.percent >= 0) {
		put(&l, " ");
		put_number(&l, now.percent);
		put(&l, "%");
	}
	ssize_t done = write(STDERR_FILENO, l.s, l.n);
	(void)done;
}

void process_note(void *user, const char *text, double part)
{
	(void)user;
	now.doing = text;
	now.percent = part < 0 ? -1 : (sig_atomic_t)(100 * part);
}

void process_watch(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction ending = {.sa_handler = end, .sa_flags = (int)SA_RESETHAND};
	struct sigaction ticking = {.sa_handler = tick, .sa_flags = SA_RESTART};
	struct itimerval every_second = {{1, 0}, {1, 0}};
	now.doing = NULL;
	now.percent = -1;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct sigaction old;
		if (!sigaction(ends[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(ends[i], &ending, NULL);
	}
	if (!isatty(STDERR_FILENO))
		return;
	sigaction(SIGALRM, &ticking, NULL);
	setitimer(ITIMER_REAL, &every_second, NULL);
}

void process_quiet(void)
{
	static const struct itimerval never;
	setitimer(ITIMER_REAL, &never, NULL);
	if (now.ticks)
		write_string("\r\033[K");
	now.ticks = 0;
	now.doing = NULL;
	now.percent = -1;
}

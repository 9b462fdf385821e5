/* SPDX-License-Identifier: Apache-2.0 */
/* A process that a signal ends in the middle of a file leaves nothing behind. */
#include <dirent.h>
#include <sys/wait.h>

#include "check.h"
#include "driver/process.c"

static int count_files(const char *folder)
{
	int n = 0;
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Opens files in the folder, says so, and waits for its end. */
_Noreturn static void write_forever(const char *folder, int ready)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	process_begin("test", 0, NULL);
	process_watch();
	process_guard(c);
	for (int i = 0; i < 3; i++)
		pim_output_open(c, pim_arena_printf(a, "%s/out%d", folder, i));
	pim_output *done = pim_output_open(c, pim_arena_printf(a, "%s/done", folder));
	pim_output_commit(done);
	pim_output_abandon(pim_output_open(c, pim_arena_printf(a, "%s/gone", folder)));
	if (write(ready, "x", 1) != 1)
		exit(1);
	for (;;)
		pause();
}

static void check_signal(int signal_number)
{
	char folder[] = "/tmp/pim-process-XXXXXX", byte;
	int ready[2], status = 0;
	CHECK(mkdtemp(folder) && !pipe(ready));
	pid_t child = fork();
	if (!child)
		write_forever(folder, ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(count_files(folder) == 4);
	kill(child, signal_number);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal_number);
	CHECK(count_files(folder) == 1);
	char path[64];
	snprintf(path, sizeof path, "%s/done", folder);
	CHECK(!unlink(path) && !rmdir(folder));
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	check_signal(SIGTERM);
	check_signal(SIGINT);
	check_signal(SIGHUP);
	return check_failures != 0;
}

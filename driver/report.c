/* SPDX-License-Identifier: Apache-2.0 */
/* driver/report.c - where time went, and what passes counted. */
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "driver/driver.h"

/* ---- time ---- */

static void print_time(FILE *out, const char *what, const char *graph, double seconds, double total)
{
	fprintf(out, "%10.6f s %5.1f %%  %s%s%s\n", seconds, total > 0 ? 100 * seconds / total : 0,
		what, *graph ? " @" : "", graph);
}

/* Of the process, mapped files included as far as they were read. */
static void print_memory(FILE *out)
{
	struct rusage usage;
	if (!getrusage(RUSAGE_SELF, &usage))
		fprintf(out, "%10.1f MiB peak memory\n", (double)usage.ru_maxrss / 1024);
}

void report_time(const session *s, FILE *out)
{
	const timing *t = &s->time;
	double total = t->read + t->run + t->write, verify = 0, numerics = 0, passes = 0;
	fprintf(out, "time (wall)\n");
	print_time(out, "read", "", t->read, total);
	for (int i = 0; i < s->report.n; i++) {
		const pim_pass_record *r = &s->report.record[i];
		print_time(out, r->pass->name, r->graph->name, r->seconds, total);
		passes += r->seconds;
		verify += r->verify_seconds;
		numerics += r->numerics_seconds;
	}
	print_time(out, "verify after passes", "", verify, total);
	if (numerics > 0)
		print_time(out, "verify numerics", "", numerics, total);
	print_time(out, "verify input", "", s->report.input_seconds, total);
	print_time(out, "printing and drawing between passes", "",
		t->run - passes - verify - numerics - s->report.input_seconds, total);
	print_time(out, "write", "", t->write, total);
	print_time(out, "total", "", total, total);
	print_memory(out);
}

/* ---- statistics ---- */

static bool is_kind(const pim_pass_field *f, const char *kind)
{
	return !strcmp(f->kind, kind);
}

static void print_value(FILE *out, double v)
{
	fprintf(out, v == floor(v) && fabs(v) < 1e15 ? "%.0f" : "%g", v);
}

static void print_outcome(FILE *out, const pim_outcome *o)
{
	double gap = o->value != 0 ? 100 * (o->value - o->bound) / fabs(o->value) : 0;
	fprintf(out, "    value ");
	print_value(out, o->value);
	fprintf(out, ", bound ");
	print_value(out, o->bound);
	fprintf(out, ", gap %.2f %%, %s, %lld nodes, %.3f s\n", gap, o->status, (long long)o->nodes,
		o->seconds);
}

static void print_statistics(FILE *out, const pim_pass_record *r)
{
	fprintf(out, "%s @%s: %d nodes, then %d\n", r->pass->name, r->graph->name, r->nodes_before,
		r->nodes_after);
	const pim_pass_field *f = r->pass->fields;
	for (int i = 0; f && f[i].name; i++) {
		if (f[i].init)
			continue;
		fprintf(out, "    %-14s ", f[i].name);
		print_value(out, r->statistic[i]);
		fprintf(out, "%s  (%s)\n", is_kind(&f[i], "time") ? " s" : "", f[i].help);
	}
	if (r->has_outcome)
		print_outcome(out, &r->outcome);
	if (r->values != PIM_VALUES_unchecked)
		fprintf(out, "    values: %s\n",
			r->values == PIM_VALUES_proved ? "equal, as the program is the same but for decisions"
										   : "equal, evaluated and compared");
}

void report_statistics(const session *s, FILE *out)
{
	for (int i = 0; i < s->report.n; i++)
		print_statistics(out, &s->report.record[i]);
}

void report_wanted(const session *s)
{
	const char *stats = s->o->value[OPT_stats];
	if (stats && !strcmp(stats, "json"))
		report_statistics_json(s, stderr);
	else if (stats)
		report_statistics(s, stderr);
	if (s->o->value[OPT_time])
		report_time(s, stderr);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sim_report.c - what a simulation found, as tables for people and as JSON.
 *
 * Shares of engines are busy cycles by cycles of the whole run, over all units. A task's cycles go
 * from the first to the last cycle in which one of its commands works. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/sim.h"

const char *pim_sim_energy_name(int i)
{
	static const char *const names[] = {
#define PIM_SIM_ENERGY_NAME(name) #name,
		PIM_SIM_ENERGIES(PIM_SIM_ENERGY_NAME)
#undef PIM_SIM_ENERGY_NAME
	};
	return names[i];
}

/* ---- small figures ---- */

typedef struct range {
	double min, mean, max;
} range;

static range range_of(
	const pim_sim_report *r, int64_t (*value)(const pim_sim_unit_report *, int), int which)
{
	range x = {0};
	for (int i = 0; i < r->n_units; i++) {
		double v = (double)value(r->unit + i, which);
		x.min = i == 0 || v < x.min ? v : x.min;
		x.max = v > x.max ? v : x.max;
		x.mean += v / r->n_units;
	}
	return x;
}

static int64_t busy_of(const pim_sim_unit_report *u, int engine)
{
	return u->busy[engine];
}

static int64_t waited_of(const pim_sim_unit_report *u, int which)
{
	(void)which;
	return u->waited;
}

typedef enum peak { PEAK_memory, PEAK_buffer, PEAK_messages } peak;

static int64_t peak_of(const pim_sim_unit_report *u, int which)
{
	return which == PEAK_memory	  ? u->memory_bytes
		   : which == PEAK_buffer ? u->buffer_bytes
								  : u->arrived_bytes;
}

static double total_pj(const pim_sim_report *r)
{
	double sum = 0;
	for (int i = 0; i < PIM_SIM_ENERGY_COUNT; i++)
		sum += r->pj[i];
	return sum;
}

static double share_of(double part, double whole)
{
	return whole > 0 ? part / whole * 100 : 0;
}

/* 12.3 MiB */
static const char *bytes_text(double bytes, char text[32])
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	int i = 0;
	for (; bytes >= 1024 && i < 4; i++)
		bytes /= 1024;
	snprintf(text, 32, i == 0 ? "%.0f %s" : "%.1f %s", bytes, unit[i]);
	return text;
}

static const char *seconds_text(double s, char text[32])
{
	const char *unit = s < 1e-6 ? "ns" : s < 1e-3 ? "us" : s < 1 ? "ms" : "s";
	double scale = s < 1e-6 ? 1e9 : s < 1e-3 ? 1e6 : s < 1 ? 1e3 : 1;
	snprintf(text, 32, "%.3f %s", s * scale, unit);
	return text;
}

/* ---- estimates ---- */

static int64_t simulated_cycles(const pim_sim_task_report *t)
{
	return t->end > t->start ? t->end - t->start : 0;
}

static int64_t difference_of(const pim_sim_report *r, int task)
{
	int64_t d = simulated_cycles(r->task + task) - r->program->task[task].cycles;
	return d < 0 ? -d : d;
}

/* Keeps the list of worst tasks in order, largest difference first. */
static void insert_worst(pim_sim_estimate *e, const pim_sim_report *r, int task)
{
	int room = (int)(sizeof e->worst / sizeof *e->worst);
	int i = e->n_worst < room ? e->n_worst++ : room;
	for (; i > 0 && difference_of(r, task) > difference_of(r, e->worst[i - 1]); i--)
		if (i < room)
			e->worst[i] = e->worst[i - 1];
	if (i < room)
		e->worst[i] = task;
}

pim_sim_estimate pim_sim_estimate_of(const pim_sim_report *r)
{
	pim_sim_estimate e = {0};
	for (int i = 0; i < r->program->n_tasks; i++) {
		const pim_task *t = r->program->task + i;
		if (r->task[i].end > e.simulated)
			e.simulated = r->task[i].end;
		if (t->start + t->cycles > e.estimated)
			e.estimated = t->start + t->cycles;
		if (t->cycles > 0)
			insert_worst(&e, r, i);
	}
	if (e.estimated > 0)
		e.percent = (double)(e.simulated - e.estimated) / (double)e.estimated * 100;
	return e;
}

/* ---- links ---- */

typedef struct link_use {
	int64_t bytes;
	int link;
} link_use;

static int compare_use(const void *a, const void *b)
{
	const link_use *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->link - y->link;
}

/* Links that carried anything, the busiest first; from malloc. */
static link_use *sort_links(const pim_sim_report *r, int *n)
{
	link_use *use = pim_array_raw(r->n_links, sizeof *use);
	*n = 0;
	for (int i = 0; i < r->n_links; i++)
		if (r->link_bytes[i])
			use[(*n)++] = (link_use){r->link_bytes[i], i};
	qsort(use, (size_t)*n, sizeof *use, compare_use);
	return use;
}

static const char *direction_of(const pim_sim_report *r, int link)
{
	static const char *const names[] = {"+x", "-x", "+y", "-y", "+z", "-z"};
	static const char *const buses[] = {"x bus", "y bus", "z bus"};
	bool bus = r->program->target->network.topology == PIM_TOPOLOGY_bus;
	return bus ? buses[link % 6 / 2] : names[link % 6];
}

static double link_share(const pim_sim_report *r, int64_t bytes)
{
	double cycles = (double)bytes / r->program->target->network.link_bytes_per_cycle;
	return share_of(cycles, (double)r->cycles);
}

/* ---- what machines of a command set have ---- */

static bool has_banks(const pim_sim_report *r)
{
	return r->program->target->bank.rows > 0;
}

static bool has_engine(const pim_sim_report *r, int engine)
{
	bool computes = engine == PIM_ENGINE_matrix || engine == PIM_ENGINE_vector;
	return has_banks(r) ? !computes : engine != PIM_ENGINE_rows;
}

static bool has_energy(const pim_sim_report *r, int energy)
{
	bool tile = energy == PIM_SIM_ENERGY_matrix || energy == PIM_SIM_ENERGY_vector;
	bool bank = energy == PIM_SIM_ENERGY_rows || energy == PIM_SIM_ENERGY_columns;
	return has_banks(r) ? !tile : !bank;
}

/* ---- text ---- */

static double channels_of(const pim_sim_report *r)
{
	const pim_target *t = r->program->target;
	return (double)t->units / t->network.size[0];
}

/* Of banks: what their time with rows went into, and what the host has to bring and take away. */
static void print_banks(const pim_sim_report *r, pim_text *out)
{
	const pim_sim_bank_report *b = &r->bank;
	double all = b->slot_cycles + b->column_cycles + b->refresh_cycles;
	char size[32];
	pim_text_printf(out, "rows       %.0f row operations, %.0f activations\n", b->row_operations,
		b->activations);
	pim_text_printf(out,
		"bank time  %.1f %% row operations, %.1f %% column accesses, %.1f %% refresh\n",
		share_of(b->slot_cycles, all), share_of(b->column_cycles, all),
		share_of(b->refresh_cycles, all));
	pim_text_printf(out, "command bus %.0f ACT and PRE of kernels, %.1f %% of the run\n",
		b->bus_commands, share_of(b->bus_commands, channels_of(r) * (double)r->cycles));
	static const char *const phases[PIM_SIM_PHASES] = {"constants, once", "inputs", "results"};
	for (int i = 0; i < PIM_SIM_PHASES; i++)
		pim_text_printf(out, "host       %s in %lld cycles: %s%s\n",
			bytes_text(b->host[i].bytes, size), (long long)b->host[i].cycles, phases[i],
			b->with_host && i != PIM_HOME_constant ? ", part of the run" : "");
}

static void print_head(const pim_sim_report *r, pim_text *out)
{
	const pim_target *t = r->program->target;
	char time[32];
	pim_text_printf(out, "%s on %s, %d units\n", r->program->name, t->name, r->n_units);
	pim_text_printf(out, "cycles     %lld (%s at %g MHz)\n", (long long)r->cycles,
		seconds_text((double)r->cycles / t->clock_hz, time), t->clock_hz / 1e6);
	int used = 0;
	for (int i = 0; i < r->n_units; i++)
		used += r->unit[i].commands > 0;
	pim_text_printf(out, "commands   %lld on %d units, messages %lld\n", (long long)r->commands,
		used, (long long)r->messages);
	if (has_banks(r))
		print_banks(r, out);
}

static void print_share(const pim_sim_report *r, const char *name, range x, pim_text *out)
{
	double whole = (double)r->cycles;
	pim_text_printf(out, "  %-18s %6.1f %6.1f %6.1f\n", name, share_of(x.min, whole),
		share_of(x.mean, whole), share_of(x.max, whole));
}

static void print_engines(const pim_sim_report *r, pim_text *out)
{
	pim_text_printf(out, "\nshare of the run, %%     min   mean    max\n");
	for (int e = 0; e < PIM_ENGINE_COUNT; e++)
		if (has_engine(r, e))
			print_share(r, pim_engine_name(e), range_of(r, busy_of, e), out);
	print_share(r, "waits for messages", range_of(r, waited_of, 0), out);
}

static void print_peaks(const pim_sim_report *r, pim_text *out)
{
	const pim_target *t = r->program->target;
	static const char *const name[] = {"memory", "buffer", "waiting messages"};
	const int64_t room[] = {t->memory.bytes, t->buffer.bytes, t->memory.bytes};
	char mean[32], max[32], all[32];
	pim_text_printf(out, "\npeak use of a unit          mean         max    capacity\n");
	for (int i = 0; i < 3; i++) {
		range x = range_of(r, peak_of, i);
		pim_text_printf(out, "  %-18s %11s %11s %11s\n", name[i], bytes_text(x.mean, mean),
			bytes_text(x.max, max), bytes_text((double)room[i], all));
	}
}

static void print_traffic(const pim_sim_report *r, int links, pim_text *out)
{
	char text[32];
	pim_text_printf(
		out, "\ntraffic    %s in messages, ", bytes_text((double)r->message_bytes, text));
	pim_text_printf(out, "%s x hops\n", bytes_text((double)r->byte_hops, text));
	int n;
	link_use *use = sort_links(r, &n);
	for (int i = 0; i < n && i < links; i++)
		pim_text_printf(out, "  link %s of unit %-6d %11s  %5.1f %% of the run\n",
			direction_of(r, use[i].link), use[i].link / 6, bytes_text((double)use[i].bytes, text),
			link_share(r, use[i].bytes));
	free(use);
}

static void print_energy(const pim_sim_report *r, pim_text *out)
{
	double sum = total_pj(r);
	pim_text_printf(out, "\nenergy     %.6g uJ\n", sum / 1e6);
	for (int i = 0; i < PIM_SIM_ENERGY_COUNT; i++)
		if (has_energy(r, i))
			pim_text_printf(out, "  %-18s %12.6g uJ  %5.1f %%\n", pim_sim_energy_name(i),
				r->pj[i] / 1e6, share_of(r->pj[i], sum));
}

static void print_estimate(const pim_sim_report *r, pim_text *out)
{
	pim_sim_estimate e = pim_sim_estimate_of(r);
	if (e.estimated == 0)
		return;
	pim_text_printf(out, "\nestimated  %lld cycles, simulated %lld (%+.1f %%)\n",
		(long long)e.estimated, (long long)e.simulated, e.percent);
	if (fabs(e.percent) > 5)
		pim_text_str(out, "  more than 5 %: --compare says at which ops, and what they wait for\n");
	pim_text_printf(
		out, "  largest differences      start: est.       sim.     cycles: est.       sim.\n");
	for (int i = 0; i < e.n_worst; i++) {
		const pim_task *t = r->program->task + e.worst[i];
		const pim_sim_task_report *s = r->task + e.worst[i];
		pim_text_printf(out, "  %-24.24s %11lld %10lld %16lld %10lld\n", t->name,
			(long long)t->start, (long long)(s->end ? s->start : 0), (long long)t->cycles,
			(long long)simulated_cycles(s));
	}
}

void pim_sim_report_text(const pim_sim_report *r, int links, pim_text *out)
{
	print_head(r, out);
	print_engines(r, out);
	print_peaks(r, out);
	print_traffic(r, links, out);
	print_energy(r, out);
	print_estimate(r, out);
}

/* ---- JSON ---- */

static void json_int(pim_text *out, const char *key, int64_t v)
{
	pim_text_printf(out, "\"%s\": %lld", key, (long long)v);
}

static void json_unit(const pim_sim_report *r, const pim_sim_unit_report *u, pim_text *out)
{
	pim_text_str(out, "{");
	json_int(out, "commands", u->commands);
	pim_text_str(out, ", ");
	json_int(out, "end", u->end);
	for (int e = 0; e < PIM_ENGINE_COUNT; e++)
		if (has_engine(r, e))
			pim_text_printf(out, ", \"busy_%s\": %lld", pim_engine_name(e), (long long)u->busy[e]);
	pim_text_printf(out,
		", \"waited\": %lld, \"memory_bytes\": %lld, \"buffer_bytes\": %lld, \"arrived_bytes\": "
		"%lld}",
		(long long)u->waited, (long long)u->memory_bytes, (long long)u->buffer_bytes,
		(long long)u->arrived_bytes);
}

static void json_units(const pim_sim_report *r, pim_text *out)
{
	pim_text_str(out, ",\n\"units\": [");
	for (int i = 0; i < r->n_units; i++) {
		pim_text_str(out, i ? ",\n  " : "\n  ");
		json_unit(r, r->unit + i, out);
	}
	pim_text_str(out, "]");
}

static void json_links(const pim_sim_report *r, pim_text *out)
{
	pim_text_str(out, ",\n\"links\": [");
	int n;
	link_use *use = sort_links(r, &n);
	for (int i = 0; i < n; i++)
		pim_text_printf(out, "%s{\"unit\": %d, \"direction\": \"%s\", \"bytes\": %lld}",
			i ? ",\n  " : "\n  ", use[i].link / 6, direction_of(r, use[i].link),
			(long long)use[i].bytes);
	free(use);
	pim_text_str(out, "]");
}

static void json_tasks(const pim_sim_report *r, pim_text *out)
{
	pim_text_str(out, ",\n\"tasks\": [");
	for (int i = 0; i < r->program->n_tasks; i++) {
		const pim_task *t = r->program->task + i;
		const pim_sim_task_report *s = r->task + i;
		pim_text_str(out, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
		pim_text_quoted(out, t->name ? t->name : "");
		pim_text_str(out, ", \"op\": ");
		pim_text_quoted(out, t->op ? t->op : "");
		pim_text_printf(out,
			", \"estimated_start\": %lld, \"estimated_cycles\": %lld, \"start\": %lld, \"cycles\": "
			"%lld}",
			(long long)t->start, (long long)t->cycles, (long long)(s->end ? s->start : 0),
			(long long)simulated_cycles(s));
	}
	pim_text_str(out, "]");
}

static void json_banks(const pim_sim_bank_report *b, pim_text *out)
{
	pim_text_printf(out, "\"row_operations\": %.0f,\n\"activations\": %.0f,\n", b->row_operations,
		b->activations);
	pim_text_printf(out, "\"bus_commands\": %.0f,\n", b->bus_commands);
	pim_text_printf(out,
		"\"slot_cycles\": %.0f,\n\"column_cycles\": %.0f,\n\"refresh_cycles\": %.0f,\n",
		b->slot_cycles, b->column_cycles, b->refresh_cycles);
	static const char *const phases[PIM_SIM_PHASES] = {"constants", "inputs", "results"};
	for (int i = 0; i < PIM_SIM_PHASES; i++)
		pim_text_printf(out, "\"host_%s_bytes\": %.0f,\n\"host_%s_cycles\": %lld,\n", phases[i],
			b->host[i].bytes, phases[i], (long long)b->host[i].cycles);
	pim_text_printf(out, "\"with_host\": %s,\n", b->with_host ? "true" : "false");
}

static void json_totals(const pim_sim_report *r, pim_text *out)
{
	const pim_target *t = r->program->target;
	pim_sim_estimate e = pim_sim_estimate_of(r);
	pim_text_printf(out, "\"cycles\": %lld,\n\"seconds\": %.9g,\n\"commands\": %lld,\n",
		(long long)r->cycles, (double)r->cycles / t->clock_hz, (long long)r->commands);
	pim_text_printf(out, "\"messages\": %lld,\n\"message_bytes\": %lld,\n\"byte_hops\": %lld,\n",
		(long long)r->messages, (long long)r->message_bytes, (long long)r->byte_hops);
	pim_text_printf(out, "\"memory_read\": %lld,\n\"memory_written\": %lld,\n",
		(long long)r->read[PIM_SPACE_memory], (long long)r->written[PIM_SPACE_memory]);
	pim_text_printf(out, "\"buffer_read\": %lld,\n\"buffer_written\": %lld,\n",
		(long long)r->read[PIM_SPACE_buffer], (long long)r->written[PIM_SPACE_buffer]);
	pim_text_printf(out, "\"memory_capacity\": %lld,\n\"buffer_capacity\": %lld,\n",
		(long long)t->memory.bytes, (long long)t->buffer.bytes);
	pim_text_printf(out,
		"\"estimated_cycles\": %lld,\n\"simulated_cycles\": %lld,\n\"difference_percent\": %.6g,\n",
		(long long)e.estimated, (long long)e.simulated, e.percent);
	if (has_banks(r))
		json_banks(&r->bank, out);
	pim_text_str(out, "\"energy_pj\": {");
	const char *between = "";
	for (int i = 0; i < PIM_SIM_ENERGY_COUNT; i++) {
		if (!has_energy(r, i))
			continue;
		pim_text_printf(out, "%s\"%s\": %.9g", between, pim_sim_energy_name(i), r->pj[i]);
		between = ", ";
	}
	pim_text_str(out, "}");
}

void pim_sim_report_json(const pim_sim_report *r, pim_text *out)
{
	pim_text_str(out, "\"program\": ");
	pim_text_quoted(out, r->program->name);
	pim_text_str(out, ",\n\"target\": ");
	pim_text_quoted(out, r->program->target->name);
	pim_text_str(out, ",\n");
	json_totals(r, out);
	json_units(r, out);
	json_links(r, out);
	json_tasks(r, out);
}

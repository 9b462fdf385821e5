/* SPDX-License-Identifier: Apache-2.0 */
/* driver/timeloop.c - --pipeline=timeloop-check: counts a Timeloop mapping and writes JSON. */
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "driver/process.h"
#include "targets/timeloop.h"

bool timeloop_wanted(const options *o)
{
	return o->value[OPT_pipeline] && !strcmp(o->value[OPT_pipeline], "timeloop-check");
}

static void print_key(pim_text *out, const char *key)
{
	pim_text_quoted(out, key);
	pim_text_str(out, ": ");
}

static void print_int(pim_text *out, const char *key, int64_t v, const char *end)
{
	print_key(out, key);
	pim_text_int(out, v);
	pim_text_str(out, end);
}

/* Short, and read back as the same number. */
static void print_real(pim_text *out, const char *key, double v, const char *end)
{
	char text[32];
	int digits = 15;
	do
		snprintf(text, sizeof text, "%.*g", digits, v);
	while (strtod(text, NULL) != v && ++digits <= 17);
	print_key(out, key);
	pim_text_str(out, text);
	pim_text_str(out, end);
}

static void print_count(pim_text *out, const char *name, const timeloop_count *c)
{
	print_key(out, name);
	pim_text_str(out, "{");
	print_int(out, "utilized_capacity", c->tile, ", ");
	print_int(out, "instances", c->instances, ", ");
	print_int(out, "reads", c->reads, ", ");
	print_int(out, "fills", c->fills, ", ");
	print_int(out, "updates", c->updates, ", ");
	print_int(out, "temporal_reductions", c->reductions, ", ");
	print_real(out, "energy_total_pJ", c->energy, "}");
}

static void print_level(
	pim_text *out, const timeloop_input *in, const timeloop_result *r, int level)
{
	bool first = true;
	pim_text_str(out, "    {");
	print_key(out, "name");
	pim_text_quoted(out, in->arch.level[level].name);
	pim_text_str(out, ", ");
	print_int(out, "cycles", r->level_cycles[level], ", ");
	print_real(out, "throttle", r->throttle[level], ", ");
	pim_text_str(out, "\"tensors\": {");
	for (int t = 0; t < in->problem.tensors; t++) {
		if (!in->mapping.keep[level][t])
			continue;
		pim_text_str(out, first ? "\n      " : ",\n      ");
		print_count(out, in->problem.tensor[t].name, &r->count[level][t]);
		first = false;
	}
	pim_text_str(out, "}}");
}

static void print_network(
	pim_text *out, const timeloop_input *in, const timeloop_result *r, int level)
{
	const timeloop_arch *a = &in->arch;
	const char *below = level ? a->level[level - 1].name : a->compute.name;
	pim_text_str(out, "    {\"name\": \"");
	pim_text_printf(out, "%s <==> %s\", \"tensors\": {", a->level[level].name, below);
	for (int t = 0; t < in->problem.tensors; t++) {
		const timeloop_count *c = &r->count[level][t];
		pim_text_str(out, t ? ",\n      " : "\n      ");
		print_key(out, in->problem.tensor[t].name);
		pim_text_str(out, "{");
		print_int(out, "fanout", c->fanout, ", ");
		print_real(out, "multicast_factor", c->multicast, ", ");
		print_real(out, "ingresses", c->ingresses, ", ");
		print_int(out, "link_transfers", c->link_transfers, ", ");
		print_real(out, "spatial_reductions", c->spatial_reductions, ", ");
		double hops = pim_timeloop_hops(&in->problem, a, &in->mapping, level, t);
		print_real(out, "average_hops", hops, "}");
	}
	pim_text_str(out, "}}");
}

static void print_result(pim_text *out, const timeloop_input *in, const timeloop_result *r)
{
	int64_t macs = in->problem.macs;
	pim_text_str(out, "{\n  ");
	print_int(out, "cycles", r->cycles, ",\n  ");
	print_real(out, "utilization", r->utilization, ",\n  ");
	print_int(out, "macs", macs, ",\n  ");
	print_int(out, "compute_cycles", r->compute_cycles, ",\n  ");
	print_int(out, "compute_instances", r->compute_instances, ",\n  ");
	print_real(out, "compute_energy_pJ", r->compute_energy, ",\n  ");
	print_real(out, "energy_total_pJ", r->energy, ",\n  ");
	print_real(out, "energy_uJ", r->energy / 1e6, ",\n  ");
	print_real(out, "energy_pJ_per_mac", r->energy / (double)macs, ",\n  ");
	pim_text_str(out, "\"levels\": [\n");
	for (int level = 0; level < in->arch.levels; level++) {
		pim_text_str(out, level ? ",\n" : "");
		print_level(out, in, r, level);
	}
	pim_text_str(out, "],\n  \"networks\": [\n");
	for (int level = 0; level < in->arch.levels; level++) {
		pim_text_str(out, level ? ",\n" : "");
		print_network(out, in, r, level);
	}
	pim_text_str(out, "]\n}\n");
}

static bool write_result(
	pim_context *c, const options *o, const timeloop_input *in, const timeloop_result *r)
{
	const char *path = o->value[OPT_output];
	pim_output *out = pim_output_open(c, path ? path : "-");
	if (!out)
		return false;
	pim_text text = {.sink = pim_output_file(out)};
	print_result(&text, in, r);
	pim_text_flush(&text);
	pim_text_free(&text);
	return pim_output_commit(out);
}

bool timeloop_check(pim_context *c, const options *o)
{
	const char *paths[MOST_REPEATS + 1];
	int n = 0;
	if (o->value[OPT_target])
		paths[n++] = o->value[OPT_target];
	for (int i = 0; i < o->n_inputs; i++)
		paths[n++] = o->inputs[i];
	pim_arena *a = pim_arena_new();
	timeloop_input *in = PIM_NEW(a, timeloop_input, 1);
	timeloop_result *r = PIM_NEW(a, timeloop_result, 1);
	bool good = pim_timeloop_read(c, n, paths, true, in);
	if (good) {
		pim_timeloop_count(&in->problem, &in->arch, &in->mapping, r);
		good = write_result(c, o, in, r);
	}
	pim_arena_free(a);
	return good;
}

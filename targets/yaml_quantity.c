/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_quantity.c - one value with its unit as a number: "32 MiB", "16 GB/s", "0.9 pJ/bit".
 *
 * A unit is a word, or two with a slash. Words stand in four families (data, time, energy, and the
 * single ones); each has a factor to the unit that machines are kept in. */
#include <math.h>
#include <string.h>

#include "targets/machine_file.h"

/* Cycles of one step, and bytes in a cycle: what all ops of a network take can be added up. */
static const double MOST_CYCLES = 0x1p40, LEAST_RATE = 0x1p-20;

typedef struct unit {
	const char *name;
	double factor;
} unit;

/* to bytes */
static const unit data_units[] = {{"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
	{"bit", 1.0 / 8}, {"kbit", 1e3 / 8}, {"Mbit", 1e6 / 8}, {"Gbit", 1e9 / 8}, {"Tbit", 1e12 / 8},
	{0}};
/* to seconds; whole cycles stand in no relation to seconds before the clock is known */
static const unit time_units[] = {
	{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"ps", 1e-12}, {0}};
static const unit cycle_units[] = {{"cycles", 1}, {"cycle", 1}, {0}};
/* to picojoules */
static const unit energy_units[] = {
	{"pJ", 1}, {"fJ", 1e-3}, {"nJ", 1e3}, {"uJ", 1e6}, {"mJ", 1e9}, {"J", 1e12}, {0}};
/* to watts */
static const unit power_units[] = {
	{"W", 1}, {"mW", 1e-3}, {"uW", 1e-6}, {"nW", 1e-9}, {"kW", 1e3}, {0}};
static const unit clock_units[] = {{"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}, {0}};

const char *pim_quantity_example(quantity_kind kind)
{
	static const char *const example[] = {
		[QUANTITY_count] = "a whole number such as 16",
		[QUANTITY_clock] = "a frequency such as \"500 MHz\"",
		[QUANTITY_bytes] = "a size such as \"32 MiB\"",
		[QUANTITY_cycles] = "a time such as \"2 cycles\" or \"40 ns\"",
		[QUANTITY_rate] = "a rate such as \"16 GB/s\" or \"128 bit/cycle\"",
		[QUANTITY_data_energy] = "an energy of data such as \"0.9 pJ/bit\"",
		[QUANTITY_energy] = "an energy such as \"0.6 pJ\"",
		[QUANTITY_power] = "a power such as \"2 W\"",
	};
	return example[kind];
}

static bool find_unit(const unit *units, const char *s, size_t n, double *factor)
{
	for (; units->name; units++)
		if (strlen(units->name) == n && !memcmp(units->name, s, n)) {
			*factor = units->factor;
			return true;
		}
	return false;
}

static bool find_ratio(const unit *above, const unit *below, const char *s, double *factor)
{
	const char *slash = strchr(s, '/');
	double a, b;
	if (!slash || !find_unit(above, s, (size_t)(slash - s), &a) ||
		!find_unit(below, slash + 1, strlen(slash + 1), &b))
		return false;
	*factor = a / b;
	return true;
}

/* The factor from the unit to what the machine keeps. */
static bool find_factor(quantity_kind kind, const char *s, double clock_hz, double *factor)
{
	double hz = clock_hz > 0 ? clock_hz : 1e9;
	size_t n = strlen(s);
	switch (kind) {
	case QUANTITY_count:
		*factor = 1;
		return n == 0;
	case QUANTITY_clock:
		return find_unit(clock_units, s, n, factor);
	case QUANTITY_bytes:
		return find_unit(data_units, s, n, factor);
	case QUANTITY_cycles:
		if (find_unit(cycle_units, s, n, factor))
			return true;
		return find_unit(time_units, s, n, factor) && (*factor *= hz, true);
	case QUANTITY_rate:
		if (find_ratio(data_units, cycle_units, s, factor))
			return true;
		return find_ratio(data_units, time_units, s, factor) && (*factor /= hz, true);
	case QUANTITY_data_energy:
		return find_ratio(energy_units, data_units, s, factor);
	case QUANTITY_energy:
		return find_unit(energy_units, s, n, factor);
	case QUANTITY_power:
		return find_unit(power_units, s, n, factor);
	}
	return false;
}

static pim_loc place_in(pim_loc at, const char *text, const char *p)
{
	at.offset += (uint32_t)(p - text);
	return at;
}

/* 40 ns at 500 MHz are 20 cycles, not 21 because of the last bit of a product. */
static double round_up(double v)
{
	double nearest = round(v);
	return fabs(v - nearest) <= 1e-9 * fabs(v) ? nearest : ceil(v);
}

static bool is_whole(quantity_kind kind)
{
	return kind == QUANTITY_count || kind == QUANTITY_bytes || kind == QUANTITY_cycles;
}

bool pim_quantity_read(machine_file *f, pim_loc at, const char *what, const char *text,
	quantity_kind kind, double clock_hz, double *out)
{
	pim_context *c = f->context;
	const char *example = pim_quantity_example(kind);
	double number, factor;
	if (!*text)
		return pim_error(c, at, "%s has no value; expected %s", what, example);
	const char *p = pim_read_float(text, text + strlen(text), &number);
	if (p == text || !isfinite(number))
		return pim_error(c, at, "%s is \"%s\"; expected %s", what, text, example);
	const char *name = p + strspn(p, " ");
	if (!*name && kind != QUANTITY_count)
		return pim_error(c, at, "%s has no unit; expected %s", what, example);
	if (!find_factor(kind, name, clock_hz, &factor))
		return pim_error(c, place_in(at, text, name), "%s has the %s \"%s\"; expected %s", what,
			kind == QUANTITY_count ? "trailing text" : "unit", name, example);
	double v = number * factor;
	bool rounds = kind == QUANTITY_cycles && !find_unit(cycle_units, name, strlen(name), &factor);
	if (rounds)
		v = round_up(v);
	if (is_whole(kind) && v != floor(v))
		return pim_error(c, at, "%s is \"%s\"; expected a whole number of %s", what, text,
			kind == QUANTITY_bytes	  ? "bytes"
			: kind == QUANTITY_cycles ? "cycles"
									  : "things");
	double most = kind == QUANTITY_cycles ? MOST_CYCLES : 0x1p60;
	if (fabs(v) > most)
		return pim_error(
			c, at, "%s is \"%s\", which is too large (%.0f at most)", what, text, most);
	if (kind == QUANTITY_rate && v > 0 && v < LEAST_RATE)
		return pim_error(c, at, "%s is \"%s\", which is too small (a byte in %.0f cycles at least)",
			what, text, 1 / LEAST_RATE);
	*out = v;
	return true;
}

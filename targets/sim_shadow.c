/* SPDX-License-Identifier: Apache-2.0 */
/* sim_shadow.c - who last wrote and read each byte of a memory, and until when.
 *
 * The memory is cut in pages; a page that was ever touched has its bytes in spans with equal
 * history, in order. Looking up is one index and a short walk, and neighbours that became equal are
 * joined, so that a page usually has a handful of spans.
 *
 * A span keeps the latest end of writes and of reads. Earlier accesses need not be remembered: what
 * is ordered after the latest is ordered after all. Reads that ended before the latest write does
 * are forgotten for the same reason. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/sim.h"

enum { PAGE_BITS = 12, PAGE_BYTES = 1 << PAGE_BITS };

typedef struct span {
	int64_t write_end, read_end;
	uint32_t writer, reader; /* commands, PIM_SIM_NOBODY, PIM_SIM_HOST */
	uint32_t lo;			 /* in the page; a span goes up to the next one */
} span;

typedef struct page {
	uint32_t n, room;
	span *span;
} page;

struct pim_sim_shadow {
	int64_t n;
	page *page;
};

pim_sim_shadow *pim_sim_shadow_new(int64_t bytes)
{
	pim_sim_shadow *s = pim_array_new(1, sizeof *s);
	s->n = (bytes >> PAGE_BITS) + 1;
	s->page = pim_array_new(s->n, sizeof *s->page);
	return s;
}

void pim_sim_shadow_free(pim_sim_shadow *s)
{
	for (int64_t i = 0; s && i < s->n; i++)
		free(s->page[i].span);
	if (s)
		free(s->page);
	free(s);
}

static uint32_t span_end(const page *p, uint32_t i)
{
	return i + 1 < p->n ? p->span[i + 1].lo : PAGE_BYTES;
}

/* The span that holds byte `at`; the page has one at least. */
static uint32_t find_span(const page *p, uint32_t at)
{
	uint32_t lo = 0, hi = p->n;
	while (hi - lo > 1) {
		uint32_t middle = lo + (hi - lo) / 2;
		if (p->span[middle].lo <= at)
			lo = middle;
		else
			hi = middle;
	}
	return lo;
}

/* The first span from byte `at` on; afterwards one starts there. */
static uint32_t cut_at(page *p, uint32_t at)
{
	if (at == PAGE_BYTES)
		return p->n;
	uint32_t i = find_span(p, at);
	if (p->span[i].lo == at)
		return i;
	if (p->n == p->room) {
		p->room *= 2;
		p->span = pim_array_resize(p->span, p->room, sizeof *p->span);
	}
	memmove(p->span + i + 1, p->span + i, (p->n - i) * sizeof *p->span);
	p->n++;
	p->span[i + 1].lo = at;
	return i + 1;
}

static bool is_same(const span *a, const span *b)
{
	return a->write_end == b->write_end && a->read_end == b->read_end && a->writer == b->writer &&
		   a->reader == b->reader;
}

/* Joins equal neighbours among spans first - 1 .. last. */
static void join_spans(page *p, uint32_t first, uint32_t last)
{
	uint32_t keep = first ? first - 1 : 0;
	uint32_t end = last + 1 < p->n ? last + 1 : p->n;
	for (uint32_t i = keep + 1; i < end; i++)
		if (!is_same(p->span + keep, p->span + i))
			p->span[++keep] = p->span[i];
	uint32_t gone = end - (keep + 1);
	if (gone == 0)
		return;
	memmove(p->span + keep + 1, p->span + end, (p->n - end) * sizeof *p->span);
	p->n -= gone;
}

static void open_page(page *p)
{
	if (p->n)
		return;
	p->room = 4;
	p->n = 1;
	p->span = pim_array_new(p->room, sizeof *p->span);
	p->span[0].writer = p->span[0].reader = PIM_SIM_NOBODY;
}

static void note_span(span *s, const pim_sim_access *a)
{
	if (a->writes) {
		if (s->writer == PIM_SIM_NOBODY || a->end >= s->write_end) {
			s->write_end = a->end;
			s->writer = a->command;
		}
		if (s->read_end <= s->write_end) {
			s->read_end = 0;
			s->reader = PIM_SIM_NOBODY;
		}
	} else if (a->end > s->read_end || s->reader == PIM_SIM_NOBODY) {
		s->read_end = a->end;
		s->reader = a->command;
	}
}

void pim_sim_shadow_note(pim_sim_shadow *s, int64_t lo, int64_t hi, const pim_sim_access *a)
{
	for (int64_t at = lo; at < hi;) {
		page *p = s->page + (at >> PAGE_BITS);
		int64_t base = at & ~(int64_t)(PAGE_BYTES - 1);
		int64_t end = hi < base + PAGE_BYTES ? hi : base + PAGE_BYTES;
		open_page(p);
		uint32_t first = cut_at(p, (uint32_t)(at - base)), last = cut_at(p, (uint32_t)(end - base));
		for (uint32_t i = first; i < last; i++)
			note_span(p->span + i, a);
		join_spans(p, first, last);
		at = end;
	}
}

static pim_sim_fault test_span(const span *s, const pim_sim_access *a)
{
	if (s->writer != PIM_SIM_NOBODY && s->write_end > a->start)
		return (pim_sim_fault){
			PIM_SIM_race, .command = s->writer, .wrote = true, .until = s->write_end};
	if (a->writes && s->reader != PIM_SIM_NOBODY && s->read_end > a->start)
		return (pim_sim_fault){PIM_SIM_race, .command = s->reader, .until = s->read_end};
	if (!a->writes && s->writer == PIM_SIM_NOBODY)
		return (pim_sim_fault){PIM_SIM_unwritten, .command = PIM_SIM_NOBODY};
	return (pim_sim_fault){PIM_SIM_clean, .command = PIM_SIM_NOBODY};
}

static pim_sim_fault test_page(
	const page *p, int64_t base, int64_t lo, int64_t hi, const pim_sim_access *a)
{
	pim_sim_fault f = {PIM_SIM_clean, .command = PIM_SIM_NOBODY};
	if (!p->n) {
		f.kind = a->writes ? PIM_SIM_clean : PIM_SIM_unwritten;
		f.lo = lo;
		f.hi = hi;
		return f;
	}
	for (uint32_t i = find_span(p, (uint32_t)(lo - base)); i < p->n; i++) {
		if (base + p->span[i].lo >= hi)
			break;
		f = test_span(p->span + i, a);
		if (f.kind == PIM_SIM_clean)
			continue;
		int64_t first = base + p->span[i].lo, end = base + span_end(p, i);
		f.lo = first > lo ? first : lo;
		f.hi = end < hi ? end : hi;
		break;
	}
	return f;
}

pim_sim_fault pim_sim_shadow_test(
	const pim_sim_shadow *s, int64_t lo, int64_t hi, const pim_sim_access *a)
{
	pim_sim_fault f = {PIM_SIM_clean, .command = PIM_SIM_NOBODY};
	for (int64_t at = lo; at < hi && f.kind == PIM_SIM_clean;) {
		int64_t base = at & ~(int64_t)(PAGE_BYTES - 1);
		int64_t end = hi < base + PAGE_BYTES ? hi : base + PAGE_BYTES;
		f = test_page(s->page + (at >> PAGE_BITS), base, at, end, a);
		at = end;
	}
	return f;
}

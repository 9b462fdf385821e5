/* SPDX-License-Identifier: Apache-2.0 */
/* arena - memory with one lifetime.
 *
 * A list of blocks, each about twice the size of the one before up to 1 MiB, handed out from front
 * to back. Blocks come zeroed from calloc, which costs nothing for fresh pages, so that an
 * allocation is an addition. Large requests get a block of their own. */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

#define FIRST_BLOCK ((size_t)2 << 10)
#define LARGEST_BLOCK ((size_t)1 << 20)
#define ALIGNMENT ((size_t)16)

typedef struct block {
	struct block *next;
	size_t bytes;
} block;

typedef struct deferred {
	struct deferred *next;
	void (*free_data)(void *);
	void *data;
} deferred;

struct pim_arena {
	char *at, *end;
	block *blocks;
	deferred *deferred;
	size_t block_bytes, total;
};

_Noreturn static void give_up(size_t bytes)
{
	fprintf(stderr, "pim: out of memory (%zu bytes wanted)\n", bytes);
	abort();
}

_Noreturn void pim_bug_at(const char *file, int line, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fprintf(stderr, "%s:%d: internal error: ", file, line);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

pim_arena *pim_arena_new(void)
{
	pim_arena *a = calloc(1, sizeof *a);
	if (!a)
		give_up(sizeof *a);
	a->block_bytes = FIRST_BLOCK;
	return a;
}

void pim_arena_free(pim_arena *a)
{
	if (!a)
		return;
	for (deferred *d = a->deferred; d; d = d->next)
		d->free_data(d->data);
	for (block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

static char *add_block(pim_arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX / 2)
		give_up(bytes);
	block *b = calloc(1, sizeof *b + bytes);
	if (!b)
		give_up(bytes);
	b->bytes = bytes;
	b->next = a->blocks;
	a->blocks = b;
	a->total += bytes;
	return (char *)(b + 1);
}

static void *alloc_slowly(pim_arena *a, size_t bytes)
{
	if (bytes >= a->block_bytes / 2)
		return add_block(a, bytes);
	char *start = add_block(a, a->block_bytes - sizeof(block));
	a->end = start + a->block_bytes - sizeof(block);
	a->at = start + bytes;
	if (a->block_bytes < LARGEST_BLOCK)
		a->block_bytes *= 2;
	return start;
}

void *pim_arena_raw(pim_arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGNMENT)
		give_up(bytes);
	bytes = (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (!a->at || bytes > (size_t)(a->end - a->at))
		return alloc_slowly(a, bytes);
	char *p = a->at;
	a->at += bytes;
	return p;
}

void *pim_arena_alloc(pim_arena *a, size_t bytes)
{
	return pim_arena_raw(a, bytes);
}

char *pim_arena_copy(pim_arena *a, const char *s, size_t n)
{
	char *copy = pim_arena_raw(a, n + 1);
	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *pim_arena_printf(pim_arena *a, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *s = pim_arena_vprintf(a, format, ap);
	va_end(ap);
	return s;
}

char *pim_arena_vprintf(pim_arena *a, const char *format, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, format, ap);
	if (n < 0)
		PIM_BUG("format \"%s\"", format);
	char *s = pim_arena_raw(a, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, format, again);
	va_end(again);
	return s;
}

size_t pim_arena_bytes(const pim_arena *a)
{
	return a->total;
}

void pim_arena_defer(pim_arena *a, void (*free_data)(void *), void *data)
{
	deferred *d = PIM_NEW(a, deferred, 1);
	*d = (deferred){.next = a->deferred, .free_data = free_data, .data = data};
	a->deferred = d;
}

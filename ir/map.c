/* SPDX-License-Identifier: Apache-2.0 */
/* map - bytes to pointer, the only user of uthash.
 *
 * Entries, keys and tables live in the map's arena. An entry and its key are one allocation. */
#include <string.h>

#define HASH_FUNCTION(key, bytes, out) ((out) = hash_bytes((key), (bytes)))
#define uthash_malloc(bytes) pim_arena_raw(m->arena, (bytes))
#define uthash_free(pointer, bytes) ((void)(pointer), (void)(bytes))
#include <uthash.h>

#include "ir/ir.h"

typedef struct entry {
	UT_hash_handle hh;
	void *value;
	char key[];
} entry;

struct pim_map {
	pim_arena *arena;
	entry *head;
};

/* Multiply and fold, eight bytes at a time; good enough for names, and short. */
static unsigned hash_bytes(const void *key, size_t n)
{
	const unsigned char *p = key;
	uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15), w;
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, p, n);
	h = (h ^ w) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (unsigned)(h ^ h >> 29 ^ h >> 45);
}

pim_map *pim_map_new(pim_arena *a)
{
	pim_map *m = PIM_NEW(a, pim_map, 1);
	m->arena = a;
	return m;
}

static entry *find_entry(const pim_map *m, const void *key, size_t n)
{
	entry *e;
	HASH_FIND(hh, m->head, key, n, e);
	return e;
}

void *pim_map_get(const pim_map *m, const void *key, size_t n)
{
	entry *e = m ? find_entry(m, key, n) : NULL;
	return e ? e->value : NULL;
}

const char *pim_map_key(pim_map *m, const void *key, size_t n, void ***value)
{
	unsigned hash = hash_bytes(key, n);
	entry *e;
	HASH_FIND_BYHASHVALUE(hh, m->head, key, n, hash, e);
	if (!e) {
		e = pim_arena_raw(m->arena, sizeof *e + n + 1);
		if (n)
			memcpy(e->key, key, n);
		e->key[n] = '\0';
		e->value = NULL;
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->head, e->key, n, hash, e);
	}
	*value = &e->value;
	return e->key;
}

void *pim_map_put(pim_map *m, const void *key, size_t n, void *value)
{
	void **at;
	pim_map_key(m, key, n, &at);
	void *old = *at;
	*at = value;
	return old;
}

size_t pim_map_count(const pim_map *m)
{
	return HASH_COUNT(m->head);
}

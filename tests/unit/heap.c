/* SPDX-License-Identifier: Apache-2.0 */
/* The heap against a list that is looked through, with elements that are lifted on the way. */
#include "ir/heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

enum { MOST = 60 };

typedef struct bench {
	int key[MOST], place[MOST];
} bench;

static bool goes_before(const bench *b, int x, int y)
{
	return b->key[x] != b->key[y] ? b->key[x] < b->key[y] : x < y;
}

static void put(bench *b, int *heap, int64_t k, int x)
{
	heap[k] = x;
	b->place[x] = (int)k;
}

PIM_HEAP(item, bench *, int, goes_before, put)

static int first_of(const bench *b, const int *heap, int n)
{
	int first = heap[0];
	for (int i = 1; i < n; i++)
		if (goes_before(b, heap[i], first))
			first = heap[i];
	return first;
}

/* Fills the heap, draws keys smaller now and then, and takes all out again. */
static void run_one(unsigned seed)
{
	bench b;
	int heap[MOST], n = 0;
	srand(seed);
	for (int x = 0, most = 1 + rand() % MOST; x < most; x++) {
		b.key[x] = rand() % 40;
		item_lift(&b, heap, n++, x);
	}
	for (int last = -1; n;) {
		int x = heap[rand() % n];
		if (last < 0 || b.key[x] > b.key[last]) {
			b.key[x] -= rand() % (last < 0 ? 10 : b.key[x] - b.key[last]);
			item_lift(&b, heap, b.place[x], x);
		}
		int first = heap[0];
		CHECK(first == first_of(&b, heap, n));
		CHECK(last < 0 || goes_before(&b, last, first) || b.key[first] == b.key[last]);
		last = first;
		CHECK(item_pop(&b, heap, n--) == first);
	}
}

int main(void)
{
	for (unsigned seed = 0; seed < 2000; seed++)
		run_one(seed);
	return check_failures != 0;
}

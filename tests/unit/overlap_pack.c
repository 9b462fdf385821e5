/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_pack - the largest gain of two chains of items against a table of all rooms: random ones,
 * and those that a climber makes take more and more steps. */
#include <string.h>

#include "passes/overlap_pack.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { MOST_ROOM = 30000, LOOPS = 4, POOL = 16 };

/* Sizes and gains from the innermost loop on: each is `count` of the one before, and gains
 * `between` times as much by size. */
typedef struct chain {
	int n;
	int64_t size, gain, count[LOOPS], between[LOOPS];
} chain;

typedef struct puzzle {
	chain chain[2];
	int64_t room, steps;
	int level; /* 0: as drawn; else which items gain the same by size */
} puzzle;

static chain random_chain(void)
{
	chain c = {1 + (int)draw(LOOPS), 1 + draw(40), 1 + draw(9), {0}, {0}};
	for (int i = 0; i < LOOPS; i++) {
		c.count[i] = 2 + draw(draw(3) ? 5 : 40);
		c.between[i] = 2 + draw(3);
	}
	return c;
}

static puzzle random_puzzle(void)
{
	puzzle p = {{random_chain(), random_chain()}, 1 + draw(draw(5) ? 3000 : MOST_ROOM), 0, 0};
	p.level = draw(3) ? 1 + (int)draw(LOOPS * LOOPS) : 0;
	return p;
}

static void change(puzzle *p)
{
	chain *c = &p->chain[draw(2)];
	int i = (int)draw(LOOPS);
	switch (draw(7)) {
	case 0:
		c->n = 1 + (int)draw(LOOPS);
		break;
	case 1:
		c->size = 1 + draw(40);
		break;
	case 2:
		c->count[i] = pim_max(c->count[i] + draw(5) - 2, 2);
		break;
	case 3:
		c->count[i] = 2 + draw(40);
		break;
	case 4:
		c->between[i] = 2 + draw(4);
		break;
	case 5:
		p->level = (int)draw(LOOPS * LOOPS + 1);
		break;
	default:
		p->room = 1 + draw(MOST_ROOM);
	}
}

/* The outermost item of the first chain has no end. */
static void add_chain(pim_pack *pack, const chain *c, bool endless)
{
	int64_t size = c->size, gain = c->gain;
	for (int i = 0; i < c->n && size <= MOST_ROOM; i++) {
		int64_t most = endless && i + 1 == c->n ? INT64_MAX : c->count[i] - 1;
		pack->item[pack->n++] = (pim_item){.size = size, .gain = gain, .most = most};
		size *= c->count[i];
		gain *= c->count[i] * c->between[i];
	}
}

static void make_pack(const puzzle *p, pim_pack *pack)
{
	pack->n = 0;
	add_chain(pack, &p->chain[0], true);
	int first = pack->n;
	add_chain(pack, &p->chain[1], false);
	if (p->level == 0)
		return;
	const pim_item a = pack->item[p->level % first];
	const pim_item b = pack->item[first + p->level / LOOPS % (pack->n - first)];
	const pim_item *outer = &pack->item[first - 1], *other = &pack->item[pack->n - 1];
	if ((double)outer->gain * (double)b.gain * (double)a.size > 0x1p50 ||
		(double)other->gain * (double)a.gain * (double)b.size > 0x1p50)
		return;
	for (int i = 0; i < pack->n; i++)
		pack->item[i].gain *= i < first ? b.gain * a.size : a.gain * b.size;
}

/* The largest gain in each room, item by item; counts above what fits do not matter. */
static int64_t fill_table(const pim_pack *pack, int64_t room)
{
	static int64_t table[MOST_ROOM + 1];
	memset(table, 0, sizeof *table * (size_t)(room + 1));
	for (int i = 0; i < pack->n; i++) {
		const pim_item *p = &pack->item[i];
		int64_t left = p->size > room ? 0 : pim_min(p->most, room / p->size);
		for (int64_t n = 1; left > 0; n = pim_min(2 * n, left)) {
			for (int64_t r = room; r >= n * p->size; r--)
				table[r] = pim_max(table[r], table[r - n * p->size] + n * p->gain);
			left -= n;
			if (left == 0)
				break;
		}
	}
	return table[room];
}

static bool run(puzzle *p)
{
	pim_pack pack;
	make_pack(p, &pack);
	for (int i = 0; i < pack.n; i++)
		if ((double)pack.item[i].gain / (double)pack.item[i].size * (double)p->room > 0x1p50)
			return false;
	int64_t most = fill_table(&pack, p->room);
	p->steps = 0;
	CHECK(pim_pack_most(&pack, p->room, 0, INT64_MIN / 2, &p->steps) == most);
	CHECK(pim_pack_most(&pack, p->room, 7, most + 8, &(int64_t){0}) == most + 8);
	return true;
}

/* Keeps those that take most steps. */
static void keep(puzzle *pool, const puzzle *p)
{
	int least = 0;
	for (int i = 1; i < POOL; i++)
		least = pool[i].steps < pool[least].steps ? i : least;
	if (p->steps > pool[least].steps)
		pool[least] = *p;
}

static void compare_packs(void)
{
	static puzzle pool[POOL];
	int64_t drawn = 0, worst = 0;
	for (int i = 0; i < 20000; i++) {
		puzzle p = random_puzzle();
		if (run(&p))
			keep(pool, &p);
	}
	for (int i = 0; i < POOL; i++)
		drawn = pim_max(drawn, pool[i].steps);
	for (int i = 0; i < 5000; i++) {
		puzzle *from = &pool[draw(POOL)], p = *from;
		change(&p);
		if (run(&p) && p.steps >= from->steps)
			*from = p;
	}
	for (int i = 0; i < POOL; i++)
		worst = pim_max(worst, pool[i].steps);
	printf("steps: %lld at most, %lld after changes\n", (long long)drawn, (long long)worst);
	CHECK(worst > drawn && worst < 400);
}

int main(void)
{
	compare_packs();
	return check_failures != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* diff: a diff of random texts applies to the first and gives the second, and on small texts it is
 * as short as the longest common subsequence (by the quadratic table) allows. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "tests/unit/check.h"

enum { MOST = 4096 };

static unsigned state = 7;

static int random_below(int n)
{
	state = state * 1664525u + 1013904223u;
	return (int)((state >> 8) % (unsigned)n);
}

/* One letter a line, so that a text is its letters. */
static void write_text(const char *letters, char *out)
{
	for (; *letters; letters++) {
		*out++ = *letters;
		*out++ = '\n';
	}
	*out = 0;
}

static int longest_common(const char *a, const char *b)
{
	static int best[64][64];
	int n = (int)strlen(a), m = (int)strlen(b);
	for (int i = n; i >= 0; i--)
		for (int k = m; k >= 0; k--) {
			if (i == n || k == m)
				best[i][k] = 0;
			else if (a[i] == b[k])
				best[i][k] = best[i + 1][k + 1] + 1;
			else
				best[i][k] = best[i + 1][k] > best[i][k + 1] ? best[i + 1][k] : best[i][k + 1];
		}
	return best[0][0];
}

/* Applies a unified diff of letter lines; false when a line it keeps or takes away is not there. */
static bool apply(const char *a, const char *diff, char *out, int *minus, int *plus)
{
	int at = 0, n = (int)strlen(a);
	*minus = *plus = 0;
	while (*diff) {
		if (*diff == '@') {
			int line = 0, count = 0;
			if (sscanf(diff, "@@ -%d,%d", &line, &count) != 2)
				return false;
			for (int to = count ? line - 1 : line; at < to;)
				*out++ = a[at++];
		} else if (*diff == '+') {
			*out++ = diff[1];
			(*plus)++;
		} else {
			if (at >= n || a[at] != diff[1])
				return false;
			if (*diff == ' ')
				*out++ = a[at];
			*minus += *diff == '-';
			at++;
		}
		diff = strchr(diff, '\n') + 1;
	}
	strcpy(out, a + at);
	return true;
}

static void fill(char *s, int n, int letters)
{
	for (int i = 0; i < n; i++)
		s[i] = (char)('a' + random_below(letters));
	s[n] = 0;
}

static void check_pair(const char *a, const char *b, int context, bool small)
{
	static char text_a[2 * MOST + 2], text_b[2 * MOST + 2], result[2 * MOST + 2];
	pim_text diff = {0};
	int minus = 0, plus = 0;
	write_text(a, text_a);
	write_text(b, text_b);
	pim_diff_print(text_a, strlen(text_a), text_b, strlen(text_b), context, &diff);
	CHECK(apply(a, diff.s ? diff.s : "", result, &minus, &plus));
	CHECK(!strcmp(result, b));
	if (small) {
		int common = longest_common(a, b);
		CHECK(minus == (int)strlen(a) - common);
		CHECK(plus == (int)strlen(b) - common);
	}
	CHECK((diff.n == 0) == !strcmp(a, b));
	pim_text_free(&diff);
}

int main(void)
{
	static char a[MOST + 1], b[MOST + 1];
	for (int i = 0; i < 3000; i++) {
		fill(a, random_below(24), 1 + random_below(5));
		fill(b, random_below(24), 1 + random_below(5));
		check_pair(a, b, random_below(4), true);
	}
	for (int i = 0; i < 20; i++) {
		fill(a, MOST - 1, 2 + random_below(20));
		strcpy(b, a);
		for (int k = 0; k < 50; k++)
			b[random_below(MOST - 1)] = 'z';
		check_pair(a, b, 3, false);
	}
	fill(a, MOST - 1, 3);
	fill(b, MOST - 1, 3);
	check_pair(a, b, 3, false);
	return check_failures != 0;
}

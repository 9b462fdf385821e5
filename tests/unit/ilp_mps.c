/* SPDX-License-Identifier: Apache-2.0 */
/* ilp_mps - the solver façade on MIPLIB 3 programs with known optima, for a second each.
 *
 * Reads $PIM_DATA/mip/answers.csv (file,rows,cols,integer_cols,optimum,...) and the MPS files
 * beside it; skipped when they are not there. Whatever the answer, it must be honest: bound <=
 * optimum <= value, "optimal" only at the optimum, and the limit kept. */
#include "ir/ir.h"
#include "passes/ilp.h"

#include <math.h>
#include <string.h>

#include "tests/unit/check.h"

enum { MOST = 4096, MOST_TERMS = 65536 };
/* Seconds by which a loaded machine may be late. */
static const double SLACK = 5;

typedef struct mps {
	int rows, columns, terms, objective; /* objective: number of the N row */
	char row_name[MOST][16], column_name[MOST][16];
	char kind[MOST];
	double right[MOST], lo[MOST], hi[MOST];
	bool integer[MOST];
	int term_row[MOST_TERMS], term_column[MOST_TERMS];
	double coef[MOST_TERMS];
} mps;

static int find(char (*names)[16], int n, const char *name)
{
	for (int i = n - 1; i >= 0; i--)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static void read_column(mps *m, char **word, int n, bool integer)
{
	if (!m->columns || strcmp(m->column_name[m->columns - 1], word[0])) {
		snprintf(m->column_name[m->columns], 16, "%s", word[0]);
		m->integer[m->columns] = integer;
		m->hi[m->columns++] = integer ? 1 : INFINITY;
	}
	for (int i = 1; i + 1 < n; i += 2) {
		m->term_row[m->terms] = find(m->row_name, m->rows, word[i]);
		m->term_column[m->terms] = m->columns - 1;
		m->coef[m->terms++] = strtod(word[i + 1], NULL);
	}
}

static void read_bound(mps *m, char **word)
{
	int column = find(m->column_name, m->columns, word[2]);
	double v = word[3] ? strtod(word[3], NULL) : 0;
	if (!strcmp(word[0], "FR"))
		m->lo[column] = -INFINITY;
	if (!strcmp(word[0], "LO") || !strcmp(word[0], "FX"))
		m->lo[column] = v;
	if (!strcmp(word[0], "UP") || !strcmp(word[0], "UI") || !strcmp(word[0], "FX"))
		m->hi[column] = v;
	if (!strcmp(word[0], "BV"))
		m->hi[column] = 1;
	if (!strcmp(word[0], "BV") || !strcmp(word[0], "UI"))
		m->integer[column] = true;
}

static bool read_mps(const char *path, mps *m)
{
	char line[256], section[16] = "";
	bool integer = false;
	FILE *f = fopen(path, "r");
	memset(m, 0, sizeof *m);
	while (f && fgets(line, sizeof line, f)) {
		char *word[8] = {NULL};
		bool begins_section = line[0] != ' ' && line[0] != '\t';
		int n = 0;
		for (char *w = strtok(line, " \t\r\n"); w && n < 7; w = strtok(NULL, " \t\r\n"))
			word[n++] = w;
		if (!n || word[0][0] == '*')
			continue;
		if (begins_section) {
			snprintf(section, sizeof section, "%s", word[0]);
		} else if (!strcmp(section, "ROWS")) {
			m->objective = word[0][0] == 'N' ? m->rows : m->objective;
			m->kind[m->rows] = word[0][0];
			snprintf(m->row_name[m->rows++], 16, "%s", word[1]);
		} else if (!strcmp(section, "COLUMNS") && n > 2 && !strcmp(word[1], "'MARKER'")) {
			integer = !strcmp(word[2], "'INTORG'");
		} else if (!strcmp(section, "COLUMNS")) {
			read_column(m, word, n, integer);
		} else if (!strcmp(section, "RHS")) {
			for (int i = n % 2; i + 1 < n; i += 2)
				m->right[find(m->row_name, m->rows, word[i])] = strtod(word[i + 1], NULL);
		} else if (!strcmp(section, "BOUNDS")) {
			read_bound(m, word);
		}
	}
	if (f)
		fclose(f);
	return f != NULL;
}

static pim_ilp *model_of(const mps *m)
{
	static double cost[MOST];
	pim_ilp *p = pim_ilp_new();
	memset(cost, 0, sizeof cost);
	for (int t = 0; t < m->terms; t++)
		if (m->term_row[t] == m->objective)
			cost[m->term_column[t]] += m->coef[t];
	for (int c = 0; c < m->columns; c++)
		pim_ilp_var(p, m->lo[c], m->hi[c], cost[c], m->integer[c]);
	for (int r = 0; r < m->rows; r++) {
		static int var[MOST_TERMS];
		static double coef[MOST_TERMS];
		int n = 0;
		for (int t = 0; t < m->terms; t++)
			if (m->term_row[t] == r) {
				var[n] = m->term_column[t];
				coef[n++] = m->coef[t];
			}
		if (m->kind[r] != 'N')
			pim_ilp_row(p, n, var, coef,
				m->kind[r] == 'L'	? PIM_ILP_le
				: m->kind[r] == 'G' ? PIM_ILP_ge
									: PIM_ILP_eq,
				m->right[r]);
	}
	return p;
}

/* True when it was solved to the end. */
static bool judge(const char *file, const mps *m, double optimum)
{
	pim_ilp *p = model_of(m);
	double begin = pim_seconds_now(), slack = 1e-5 * fmax(1, fabs(optimum));
	pim_ilp_status s = pim_ilp_solve(p, 1);
	double took = pim_seconds_now() - begin, value = pim_ilp_objective(p), bound = pim_ilp_bound(p);
	printf("%-14s status %d value %.8g bound %.8g optimum %.8g, %.2f s\n", file, (int)s, value,
		bound, optimum, took);
	CHECK(s == PIM_ILP_optimal || s == PIM_ILP_feasible || s == PIM_ILP_limit);
	CHECK(bound <= optimum + slack && value >= optimum - slack);
	CHECK(s != PIM_ILP_optimal || (fabs(value - optimum) <= slack && value - bound <= slack + 1));
	CHECK(s != PIM_ILP_limit || isinf(value));
	CHECK(took < 1 + SLACK);
	pim_ilp_free(p);
	return s == PIM_ILP_optimal;
}

int main(void)
{
	static mps m;
	char path[1024], line[512];
	const char *folder = getenv("PIM_DATA");
	snprintf(path, sizeof path, "%s/mip/answers.csv", folder ? folder : "");
	FILE *answers = folder ? fopen(path, "r") : NULL;
	pim_ilp *none = pim_ilp_new();
	bool solver = pim_ilp_solve(none, 1) != PIM_ILP_none;
	pim_ilp_free(none);
	if (!answers || !solver) {
		puts(solver ? "skipped: PIM_DATA names no folder with mip/answers.csv"
					: "skipped: built without a solver");
		return 0;
	}
	int solved = 0, all = 0;
	while (fgets(line, sizeof line, answers)) {
		char file[64];
		double optimum;
		if (sscanf(line, "%63[^,],%*[^,],%*[^,],%*[^,],%lf", file, &optimum) != 2)
			continue;
		snprintf(path, sizeof path, "%s/mip/%s", folder, file);
		if (!read_mps(path, &m))
			continue;
		solved += judge(file, &m, optimum);
		all++;
	}
	fclose(answers);
	printf("%d of %d solved in a second each\n", solved, all);
	CHECK(all == 0 || solved > 0);
	return check_failures != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* exp, erf, tanh and the sigmoid of vectors against the C library in double precision: every
 * exponent, both signs, borders, infinities and NaN; also with the result over the operand. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "ir/op_rules.h"

enum { N = 1 << 12 };

static double exact_exp(double x)
{
	return exp(x);
}

static double exact_sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static void run_exp(const float *x, int64_t n, float *y)
{
	pim_exp_floats(x, 0, n, y);
}

/* Distance in units of the last place of the exact result as float. */
static double count_units(float got, double exact)
{
	float near = (float)exact;
	if (isnan(exact) || isinf(near))
		return isnan(exact) ? !isnan(got) : got != near;
	double unit = fabs((double)nextafterf(fabsf(near), INFINITY) - fabs((double)near));
	return fabs((double)got - exact) / unit;
}

static float pick(int i)
{
	static const float special[] = {0, -0.0F, 1, -1, 4, -4, 88.7F, 88.8F, -87.4F, -103.9F, -104.1F,
		1e30F, -1e30F, INFINITY, -INFINITY, NAN, 0.632455F, 0.632456F, 0.99999994F};
	int n = sizeof special / sizeof *special;
	if (i < n)
		return special[i];
	float v = ldexpf(1 + (float)(i * 7919 % 8192) / 8192, i % 24 - 16);
	return i % 2 ? -v : v;
}

static void check_function(const char *name, void (*run)(const float *, int64_t, float *),
	double (*exact)(double), double most)
{
	static float x[N], y[N];
	double worst = 0;
	for (int i = 0; i < N; i++)
		x[i] = y[i] = pick(i);
	run(y, N, y);
	for (int i = 0; i < N; i++) {
		double units = count_units(y[i], exact((double)x[i]));
		worst = units > worst ? units : worst;
		if (units > most)
			printf("%s(%a) = %a, %g units off\n", name, (double)x[i], (double)y[i], units);
	}
	CHECK(worst <= most);
}

int main(void)
{
	check_function("exp", run_exp, exact_exp, 2);
	check_function("erf", pim_erf_floats, erf, 2);
	check_function("tanh", pim_tanh_floats, tanh, 2.5);
	check_function("sigmoid", pim_sigmoid_floats, exact_sigmoid, 3);
	return check_failures != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* axis_roles.c - names for classes of axes: head, window, batch, row, channel.
 *
 * A class gets its role from the products it takes part in. The leading dimensions of a product of
 * two computed values are heads when the weights of other products carry that class too (as a
 * factor of their columns), or the features of a graph input do, the batch when a graph input has
 * it outermost, windows otherwise. Places of images and rows of products are rows; columns of
 * weights are channels. Classes that no product knows are named from the values that have them; an
 * input of integers (places in a table, say) has no channels. Of several claims the strongest
 * counts.
 */
#include "passes/pass.h"

const char *pim_role_name(pim_role r)
{
	static const char *const names[PIM_ROLE_COUNT] = {
		"axis", "channel", "row", "batch", "window", "head"};
	return names[r];
}

typedef struct naming {
	const pim_classes *classes;
	pim_role *role;
	bool *in_features, *in_batch; /* by class */
} naming;

static void claim(naming *s, const pim_node *n, int d, pim_role r)
{
	const pim_factor *f;
	int count = pim_classes_dim(s->classes, n, d, &f);
	for (int k = 0; k < count; k++)
		if (f[k].size > 1 && s->role[f[k].class] < r)
			s->role[f[k].class] = r;
}

static void claim_factors(naming *s, const pim_node *n, int d)
{
	const pim_factor *f;
	int count = pim_classes_dim(s->classes, n, d, &f);
	for (int k = 0; k < count; k++) {
		pim_role r = s->in_features[f[k].class] ? PIM_ROLE_head
					 : s->in_batch[f[k].class]	? PIM_ROLE_batch
												: PIM_ROLE_window;
		if (f[k].size > 1 && s->role[f[k].class] < r)
			s->role[f[k].class] = r;
	}
}

static void mark(const naming *s, const pim_node *n, int d, bool *classes)
{
	const pim_factor *f;
	int count = pim_classes_dim(s->classes, n, d, &f);
	for (int k = 0; k < count; k++)
		classes[f[k].class] = true;
}

static bool is_product(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_matrix;
}

static void mark_origins(naming *s, pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_input && n->type->n_parts == 0 && n->type->rank > 1) {
			mark(s, n, 0, s->in_batch);
			if (n->type->rank <= 3)
				mark(s, n, n->type->rank - 1, s->in_features);
		}
		for (int i = 0; is_product(n) && i < (int)n->n_in; i++)
			for (int d = 0; n->in[i] && n->in[i]->op == PIM_OP_constant && d < n->in[i]->type->rank;
				 d++)
				mark(s, n->in[i], d, s->in_features);
	}
}

static void name_matmul(naming *s, const pim_node *n)
{
	int rank = n->type->rank;
	bool computed = n->in[0]->op != PIM_OP_constant && n->in[1]->op != PIM_OP_constant;
	for (int d = 0; d < rank - 2; d++)
		if (computed)
			claim_factors(s, n, d);
	claim(s, n, rank - 2, PIM_ROLE_row);
	claim(s, n, rank - 1, PIM_ROLE_channel);
}

static void name_image(naming *s, const pim_node *n)
{
	claim(s, n, 0, PIM_ROLE_batch);
	claim(s, n, 1, PIM_ROLE_channel);
	for (int d = 2; d < n->type->rank; d++)
		claim(s, n, d, PIM_ROLE_row);
}

static bool is_unnamed(const naming *s, const pim_node *n, int d)
{
	const pim_factor *f;
	int count = pim_classes_dim(s->classes, n, d, &f);
	for (int k = 0; k < count; k++)
		if (f[k].size > 1 && s->role[f[k].class] == PIM_ROLE_none)
			return true;
	return false;
}

static bool is_index(const pim_node *n)
{
	pim_dtype t = n->type->dtype;
	return n->op == PIM_OP_input && (t == PIM_DTYPE_i32 || t == PIM_DTYPE_i64);
}

static void name_rest(naming *s, const pim_node *n)
{
	int rank = n->type->rank, channel = is_index(n) ? -1 : rank >= 4 ? 1 : rank - 1;
	for (int d = 0; n->type->n_parts == 0 && d < rank; d++)
		if (is_unnamed(s, n, d))
			claim(s, n, d, d == channel ? PIM_ROLE_channel : PIM_ROLE_row);
}

const pim_role *pim_roles_new(pim_graph *g, const pim_classes *c, pim_arena *a)
{
	int count = pim_classes_count(c);
	naming s = {c, PIM_NEW(a, pim_role, count + 1), PIM_NEW(a, bool, count + 1),
		PIM_NEW(a, bool, count + 1)};
	mark_origins(&s, g);
	PIM_EACH_NODE(n, g)
	{
		if (n->op == PIM_OP_matmul)
			name_matmul(&s, n);
		else if (is_product(n))
			name_image(&s, n);
	}
	PIM_EACH_NODE(n, g)
	{
		if (n->op != PIM_OP_constant)
			name_rest(&s, n);
	}
	return s.role;
}

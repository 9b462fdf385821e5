/* SPDX-License-Identifier: Apache-2.0 */
/* text_form.h - what the printer and the parser of modules share with their parts. */
#ifndef PIM_IR_TEXT_FORM_H
#define PIM_IR_TEXT_FORM_H

#include "ir/ir.h"

/* elements.c: the attribute of a constant, between its braces. */
typedef struct pim_weights
	pim_weights; /* constants that a safetensors file beside the text holds */
void pim_elements_print(pim_text *out, const pim_node *n, const pim_data *d,
	const pim_print_options *o, const pim_weights *w);
/* Stands behind the `{`, reads to the `}`. n->type is known. False after a diagnostic. */
bool pim_elements_parse(pim_cursor *c, pim_node *n);

/* weights.c: writes o->weights; NULL after a diagnostic. */
pim_weights *pim_weights_write(const pim_module *m, const pim_print_options *o, pim_arena *scratch);
/* The key of a constant in the file; NULL when it is not there. */
const char *pim_weights_key(const pim_weights *w, const pim_node *n);
const char *pim_weights_name(const pim_weights *w);
/* True when the text keeps the elements of such a constant elsewhere. */
bool pim_elements_are_large(const pim_node *n, const pim_print_options *o);

/* element_text.c: one element. Reading gives the first byte behind it, NULL after a diagnostic. */
void pim_element_print(pim_text *out, pim_dtype t, const void *element);
bool pim_element_parse(pim_cursor *c, pim_dtype t, void *element);
/* False for bits that the text of an element cannot say (NaN payloads, a bool of 2). */
bool pim_element_has_text(pim_dtype t, const void *element);

/* memo.c: types by the ops' rules, remembered for nodes without attributes. */
#define PIM_MEMO_SLOTS 64
typedef struct pim_memo {
	struct {
		const pim_type *in[3], *out;
		uint32_t op, n_in;
	} slot[PIM_MEMO_SLOTS];
} pim_memo;
/* As the op's infer: NULL after a diagnostic. */
const pim_type *pim_memo_infer(pim_memo *m, const pim_node *n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* pim - the text form as a frontend. The parser itself is ir/parse.c. */
#include <ctype.h>

#include "frontends/frontend.h"

/* Text: no control bytes but white space in the first piece. */
bool pim_knows_pim(const char *path, const void *bytes, size_t n)
{
	const unsigned char *s = bytes;
	(void)path;
	for (size_t i = 0; i < n && i < 64; i++)
		if (s[i] < 0x20 ? !isspace(s[i]) : s[i] == 0x7f)
			return false;
	return true;
}

pim_module *pim_read_pim(
	pim_context *c, const char *path, const void *bytes, size_t n, const pim_read_options *o)
{
	if (o->n_dims) {
		pim_file_error(c, path, "--dim %s=%lld: the text form has no open sizes", o->dims[0].name,
			(long long)o->dims[0].size);
		return NULL;
	}
	return pim_module_parse_source(c, pim_source_text(c, path, bytes, n), 0, n);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The text form: every construct reads back and prints the same, every kind of mistake is reported
 * where it is, all in order, and no piece of a text or garbage makes the parser fail in another
 * way. */
#include <string.h>

#include "ir/ir.h"
#include "tests/unit/check.h"

static const char everything[] =
	"module {\n"
	"  graph @main(%x: f32[2,8] [parts=2x4, start=0, cycles=0, units=8, on=0..7] loc(\"image\"), "
	"%0: i64[], "
	"%\"a b\": f32[0,3], %\"12\": f16[2]) {\n"
	"    facts split, laid_out, mapped, scheduled, placed on \"stack3d\"\n"
	"    set @b0 [window 64, head 3] degree 1\n"
	"    set @\"odd set\" [\"odd axis\" 2] degree 4\n"
	"    set @none [] degree 1\n"
	"    %w = constant {value = [1.0, -0.5, inf, -inf, nan, 0.1, 1e-30, 123456.0]} : f32[8,1] "
	"loc(\"w\", \"say \\\"w\\\"\\\\\")\n"
	"    %1 = constant {value = 0.5} : f32[2,8]\n"
	"    %2 = constant {absent = 1} : f32[4]\n"
	"    %3 = constant {value = []} : f32[0]\n"
	"    %4 = constant {value = [-9223372036854775808, 9223372036854775807]} : i64[2]\n"
	"    %5 = constant {value = [18446744073709551615, 0]} : u64[2]\n"
	"    %6 = constant {value = [0, 1, 1]} : bool[3]\n"
	"    %7 = constant {value = [-8, 7]} : i4[2]\n"
	"    %8 = constant {value = -128} : i8[3]\n"
	"    %9 = constant {value = [0.5, -2.0]} : bf16[2]\n"
	"    %10 = constant {value = [0.5, 65504.0]} : f16[2]\n"
	"    %11 = constant {value = 1e-300} : f64[]\n"
	"    %12 = constant {hex = \"0100c07f\"} : f32[3]\n"
	"    %13 = constant {hex = \"000102030405060708090a0b0c0d0e0f10\"} : u8[17]\n"
	"    %14 = constant {value = 4294967295} : u32[2]\n"
	"    %15 = constant {value = 65535} : u16[2]\n"
	"    %16 = constant {value = -32768} : i16[2]\n"
	"    %17 = constant {value = -2147483648} : i32[2]\n"
	"    %100 = matmul %x, %w : f32[2,1] [set=@b0, parts=2x1, sums=4, copies=2, nest=(@m 2, k 2:4, "
	"n :7 = 1234), "
	"start=100, cycles=1300, units=4, on=(0, 2..4)] loc(\"mm\")\n"
	"    %\"a:\" = relu %100 : f32[2,1]\n"
	"    %\":a\" = relu %\"a:\" : f32[2,1]\n"
	"    %a:b = relu %\":a\" : f32[2,1]\n"
	"    %101 = relu %100 : f32[2,1] [set=@\"odd set\"]\n"
	"    %conv/out:0 = add %x, %1 : f32[2,8] loc(\"a\", \"b\")\n"
	"    %\"%\\x01\\n\\t\\\"\" = leaky_relu %conv/out:0 {alpha = 0.25} : f32[2,8]\n"
	"    %102 = gelu %conv/out:0 {approximate = \"tanh\"} : f32[2,8]\n"
	"    %103 = clip %102 {min = -inf, max = 6.0} : f32[2,8]\n"
	"    %104 = reshape %103 {shape = [4, 4]} : f32[4,4]\n"
	"    %999999999 = neg %104 : f32[4,4]\n"
	"    return %999999999 as \"author \\\"name\\\"\", %x, %999999999\n"
	"  }\n"
	"  graph @\"other graph\"() {\n"
	"    facts on \"null\"\n"
	"    return\n"
	"  }\n"
	"  graph @third(%x: (f32[2], (i64[2], bool[]))) {\n"
	"    %0 = get %x {index = 0} : f32[2] [parts=1, start=-1, cycles=5]\n"
	"    return %0\n"
	"  }\n"
	"}\n";

typedef struct heard {
	pim_text text;
	int count;
} heard;

static void hear(void *user, const pim_diag *d)
{
	static const char *const words[] = {"error", "warning", "note", "remark"};
	heard *h = user;
	h->count++;
	pim_text_printf(
		&h->text, "%d:%d: %s: %s\n", d->line, d->column, words[d->severity], d->message);
}

static char *print_again(const char *text, size_t n, heard *h)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, hear, h);
	pim_module *m = pim_module_parse(c, "test", text, n);
	char *out = m ? pim_module_print(m) : NULL;
	CHECK((m == NULL) == (pim_context_errors(c) > 0));
	pim_context_free(c);
	return out;
}

static void test_everything(void)
{
	heard h = {0};
	char *out = print_again(everything, strlen(everything), &h);
	CHECK(out && !strcmp(out, everything));
	if (!out || strcmp(out, everything))
		fprintf(stderr, "%s\n%s\n", out ? out : "", h.text.s ? h.text.s : "");
	free(out);
	pim_text_free(&h.text);
}

static void test_free_form(void)
{
	static const char text[] = "// first\nmodule{graph @main (%x:f32[ 2 , 3 ],)";
	static const char good[] = "module{ // a\n graph @m(%x :f32[ 2 , 3 ]){%0=add "
							   "%x,%x :f32[2,3]//end\n\t%b =  neg\t%0 :f32[2,3] return %b}}";
	static const char want[] = "module {\n  graph @m(%x: f32[2,3]) {\n    %0 = add %x, %x : "
							   "f32[2,3]\n    %b = neg %0 : f32[2,3]\n    return %b\n  }\n}\n";
	heard h = {0};
	char *out = print_again(text, sizeof text - 1, &h);
	CHECK(!out && h.count > 0);
	out = print_again(good, sizeof good - 1, &h);
	CHECK(out && !strcmp(out, want));
	free(out);
	pim_text_free(&h.text);
}

#define BODY(lines) "module {\n graph @m(%x: f32[2,3]) {\n" lines "  return %x\n }\n}\n"
static const struct {
	const char *text, *messages;
} mistakes[] = {
	{"", "1:1: error: the text is empty, expected 'module {'\n"},
	{"  // nothing\n", "2:1: error: the text is empty, expected 'module {'\n"},
	{"hello", "1:1: error: expected 'module', found 'hello'\n"},
	{"module {", "1:9: error: expected '}' at the end of the module, found the end of the "
				 "text\n1:8: note: its '{' is here\n"},
	{"module {\n graph @m() {\n  return\n",
		"4:1: error: expected '}' at the end of graph @m, found the end of the text\n2:13: note: "
		"its '{' is here\n"},
	{"module {}\nx", "2:1: error: expected the end of the text behind the module, found 'x'\n"},
	{"module {\n graph @m() {\n }\n}", "2:13: error: graph @m has no return\n"},
	{"module {\n graph @m() {\n return\n }\n graph @m() {\n return\n }\n}",
		"5:10: error: a second graph @m\n2:13: note: the first is here\n"},
	{BODY("  %0 = addd %x, %x : f32[2,3]\n"),
		"3:8: error: there is no op addd; did you mean add?\n"},
	{BODY("  %0 = add %x, %why : f32[2,3]\n  %1 = add %y, %x : f32[2,3]\n"),
		"3:16: error: value %why is not defined\n4:12: error: value %y is not defined\n"},
	{BODY("  %weight = neg %x : f32[2,3]\n  %0 = add %x, %wieght : f32[2,3]\n"),
		"4:16: error: value %wieght is not defined; did you mean %weight?\n"},
	{BODY("  %0 = add %x, %1 : f32[2,3]\n  %1 = neg %0 : f32[2,3]\n"),
		"3:16: error: value %1 is not defined\n4:3: note: it is defined here, behind its use\n"},
	{BODY("  %0 = neg %x : f32[2,3]\n  %0 = neg %x : f32[2,3]\n  %x = neg %x : f32[2,3]\n"),
		"4:3: error: value %0 is already defined\n3:3: note: the first definition is here\n5:3: "
		"error: value %x is already defined\n2:11: note: the first definition is here\n"},
	{BODY("  %0 = neg %x : f32[3,2]\n  %1 = neg %0 : f32[3,2]\n"),
		"3:17: error: the type is f32[3,2], but neg gives f32[2,3]\n"},
	{BODY("  %0 = neg %x, %x : f32[2,3]\n"), "3:8: error: neg has 2 inputs, expected 1\n"},
	{BODY("  %0 = concat {axis = 0} : f32[2,3]\n"),
		"3:8: error: concat has 0 inputs, expected 1 or more\n"},
	{BODY("  %0 = where %x : f32[2,3]\n"), "3:8: error: where has 1 inputs, expected 3\n"},
	{BODY("  %0 = softmax %x {axes = 1} : f32[2,3]\n"),
		"3:20: error: softmax has no attribute axes; did you mean axis?\n"},
	{BODY("  %0 = softmax %x {axis = 1.5} : f32[2,3]\n"),
		"3:27: error: attribute axis of softmax is a number, expected an integer\n"},
	{BODY("  %0 = softmax %x {axis = \"a\"} : f32[2,3]\n"),
		"3:27: error: attribute axis of softmax is a string, expected an integer\n"},
	{BODY("  %0 = softmax %x {axis = 1, axis = 1} : f32[2,3]\n"),
		"3:30: error: attribute axis is given twice\n"},
	{BODY("  %0 = softmax %x : f32[2,3]\n"),
		"3:3: error: softmax needs the attribute axis (the dim, not negative)\n"},
	{BODY("  %0 = reshape %x {shape = 6} : f32[6]\n"),
		"3:28: error: attribute shape of reshape is an integer, expected a list of integers\n"},
	{BODY("  %0 = neg %x : f33[2,3]\n"),
		"3:17: error: unknown element type f33; did you mean f32?\n"},
	{BODY("  %0 = neg %x : f32[2,-3]\n"),
		"3:23: error: a dimension is negative, expected 0 or more\n"},
	{BODY("  %0 = neg %x : f32[9223372036854775807,3]\n"),
		"3:21: error: the type has more than 2^56 bytes\n"},
	{BODY("  %0 = neg %x : f32[99999999999999999999]\n"),
		"3:21: error: the integer does not fit in 64 bits\n"},
	{BODY("  %0 = neg %x : f32[1,1,1,1,1,1,1,1,1]\n"),
		"3:37: error: a type has more than 8 dimensions\n"},
	{BODY("  %0 = neg %x : ((((((((((((((((((f32[]))))))))))))))))))\n"),
		"3:34: error: tuple types are nested deeper than 16\n"},
	{BODY("  %0 = neg %x\n"), "4:3: error: expected ':', found 'return'\n"},
	{BODY("  %0 : f32[2]\n"), "3:6: error: expected '=', found ':'\n"},
	{BODY("  nonsense\n  %0 = neg %x : f32[2]\n"),
		"3:3: error: expected %value = op ..., return or '}', found 'nonsense'\n4:17: error: the "
		"type is f32[2], but neg gives f32[2,3]\n"},
	{BODY("  %0 = constant : f32[2]\n"), "3:3: error: %0 (constant): expected {value = ...}, {key "
										 "= ...}, {file = ...}, {hex = ...} or {absent = 1}\n"},
	{BODY("  %0 = constant {vale = 1.0} : f32[2]\n"),
		"3:18: error: constant has no attribute vale, expected value, key, file, hex or absent; "
		"did you mean value?\n"},
	{BODY("  %0 = constant {value = [1.0]} : f32[2]\n"),
		"3:31: error: the list has 1 elements, the type 2\n"},
	{BODY("  %0 = constant {value = [1.0, 2.0, 3.0]} : f32[2]\n"),
		"3:36: error: the list has more elements than the type, which has 2\n"},
	{BODY("  %0 = constant {value = 1e39} : f32[2]\n"),
		"3:26: error: the element is beyond the range of f32\n"},
	{BODY("  %0 = constant {value = 128} : i8[2]\n"),
		"3:26: error: element 128 does not fit in i8 (-128 to 127)\n"},
	{BODY("  %0 = constant {value = 2} : bool[2]\n"),
		"3:26: error: element 2 does not fit in bool (0 to 1)\n"},
	{BODY("  %0 = constant {value = 8} : i4[2]\n"),
		"3:26: error: element 8 does not fit in i4 (-8 to 7)\n"},
	{BODY("  %0 = constant {hex = \"0\"} : i8[2]\n"),
		"3:24: error: 1 hexadecimal digits, expected 4 (two for each byte of the type)\n"},
	{BODY("  %0 = constant {hex = \"0g00\"} : i8[2]\n"),
		"3:26: error: expected a hexadecimal digit, found 'g00'\n"},
	{BODY("  %0 = constant {key = \"w\"} : i8[2]\n"),
		"3:24: error: the module names no weights file for key \"w\"\n"},
	{BODY("  %0 = constant {file = \"../w\", offset = 0} : i8[2]\n"),
		"3:25: error: file \"../w\": leaves the folder of \"test\"\n"},
	{BODY("  %0 = constant {file = \"/etc/passwd\", offset = 0} : i8[2]\n"),
		"3:25: error: file \"/etc/passwd\": expected a path relative to the folder of \"test\"\n"},
	{BODY("  %0 = constant {file = \"no-such-file\", offset = 0} : i8[2]\n"),
		"3:25: error: file \"no-such-file\": does not exist\n"},
	{BODY("  set @b [row 2] degree 1\n  %0 = neg %x : f32[2,3] [set=@c]\n"),
		"4:31: error: there is no branch set @c\n"},
	{BODY("  set @b [row 0] degree 1\n"),
		"3:15: error: 0 is out of range, expected 1 to 9223372036854775807\n"},
	{BODY("  facts placd\n"), "3:9: error: there is no fact placd; did you mean placed?\n"},
	{BODY("  %0 = neg %x : f32[2,3] [prts=2x3]\n"),
		"3:27: error: there is no decision prts; did you mean parts?\n"},
	{BODY("  %0 = neg %x : f32[2,3] [units=2, on=0..2]\n"),
		"3:43: error: more units than units=2 says\n"},
	{BODY("  %0 = neg %x : f32[2,3] [units=4, on=0..2]\n"), "3:43: error: 3 units, but units=4\n"},
	{BODY("  %0 = neg %x : f32[2,3] [start=1, start=2]\n"), "3:36: error: start is given twice\n"},
	{BODY("  %0 = neg %x : f32[2,3] loc(\"a)\n"),
		"3:30: error: the string has no closing quote on this line\n"},
	{BODY("  %0 = constant {value = 1.0 : f32[2]\n  %1 = constant {value = [1.0,\n 2.0]} : "
		  "f32[2]\n"),
		"3:17: error: this '{' is not closed\n"},
	{BODY("  %0 = input : f32[2,3]\n"),
		"3:8: error: an input stands in the graph's signature, not here\n"},
};

static void test_mistakes(void)
{
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		heard h = {0};
		char *out = print_again(mistakes[i].text, strlen(mistakes[i].text), &h);
		const char *said = h.text.s ? h.text.s : "";
		CHECK(!out);
		CHECK(!strcmp(said, mistakes[i].messages));
		if (strcmp(said, mistakes[i].messages))
			fprintf(stderr, "text: %s\nwanted: %sgot: %s\n", mistakes[i].text, mistakes[i].messages,
				said);
		free(out);
		pim_text_free(&h.text);
	}
}

static void test_limit(void)
{
	pim_text t = {0};
	heard h = {0};
	pim_text_str(&t, "module {\n graph @m() {\n");
	for (int i = 0; i < 50; i++)
		pim_text_printf(&t, "  %%%d = nothing : f32[]\n", i);
	pim_text_str(&t, "  return\n }\n}\n");
	CHECK(!print_again(t.s, t.n, &h));
	CHECK(h.count == 21 && strstr(h.text.s, "too many errors"));
	pim_text_free(&t);
	pim_text_free(&h.text);
}

static void test_pieces(void)
{
	size_t n = strlen(everything);
	char *copy = malloc(n);
	unsigned random = 1;
	for (size_t k = 0; copy && k <= n; k++) {
		heard h = {0};
		memcpy(copy, everything, n);
		free(print_again(copy, k, &h));
		for (int i = 0; i < 3; i++) {
			random = random * 1664525 + 1013904223;
			copy[(random >> 8) % n] = "{}[]()%@\",:=09a\n \\\xff"[random >> 24 & 15];
		}
		free(print_again(copy, n, &h));
		pim_text_free(&h.text);
	}
	free(copy);
}

int main(void)
{
	test_everything();
	test_free_form();
	test_mistakes();
	test_limit();
	test_pieces();
	return check_failures != 0;
}

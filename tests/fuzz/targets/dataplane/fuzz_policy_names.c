/* SPDX-License-Identifier: Apache-2.0 */
/* The input, cut at newlines, is a name and patterns of a rule. A set of them says of the name what the set of each
 * alone says; and whatever it says of all names below a domain holds for one of them. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/name_set.h"
#include "minting/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_PATTERNS 16

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* check_ascii compares with the plainest reading of an ASCII pattern: equal, or ends behind a dot. */
static void check_ascii(const char *pattern, struct mg_slice name, bool matches)
{
    struct dns_name canonical;
    bool is_suffix = strncmp(pattern, "*.", 2) == 0;
    if (dns_name_from_sni(&canonical, mg_slice_of_text(is_suffix ? pattern + 2 : pattern)) != DNS_NAME_OK) {
        return; /* Unicode */
    }
    struct mg_slice front, rest = name;
    if (is_suffix) {
        bool longer = name.len > (size_t)canonical.len + 1 && mg_slice_take(&rest, &front, name.len - canonical.len);
        must(matches ==
             (longer && front.data[front.len - 1] == '.' && mg_slice_equal(rest, dns_name_slice(&canonical))));
    } else if (strcmp(pattern, "none") != 0) {
        must(matches == mg_slice_equal(name, dns_name_slice(&canonical)));
    }
}

/* matches_alone tells whether |pattern| alone matches |name|; it is a good one. */
static bool matches_alone(const char *pattern, struct mg_slice name)
{
    const struct config_strings one = {.items = &pattern, .num_items = 1};
    struct name_set set;
    must(name_set_build(&set, &one, NULL) == MG_OK);
    bool matches = name_set_matches(&set, name);
    must(!matches || (name.len == 0) == (strcmp(pattern, "none") == 0));
    check_ascii(pattern, name, matches);
    name_set_clear(&set);
    return matches;
}

static void check_overlap(const struct name_set *set, struct mg_slice name)
{
    const uint8_t *dot = name.len == 0 ? NULL : memchr(name.data, '.', name.len);
    if (dot == NULL) {
        return;
    }
    struct mg_slice domain = name, label;
    must(mg_slice_take(&domain, &label, (size_t)(dot - name.data) + 1));
    enum name_set_overlap overlap = name_set_overlap(set, domain);
    must(overlap != NAME_SET_ALL || name_set_matches(set, name));
    must(overlap != NAME_SET_DISJOINT || !name_set_matches(set, name));
}

static void check(const struct config_strings *patterns, struct mg_slice name)
{
    struct name_set set;
    struct mg_error error = {""};
    enum mg_status status = name_set_build(&set, patterns, &error);
    must(status == MG_OK || (status == MG_INVALID && error.text[0] != '\0'));
    if (status != MG_OK) {
        static const struct name_set zero;
        must(memcmp(&set, &zero, sizeof(zero)) == 0);
        return;
    }
    bool expected = patterns->num_items == 0;
    for (size_t i = 0; i < patterns->num_items; i++) {
        expected = matches_alone(patterns->items[i], name) || expected;
    }
    must(name_set_matches(&set, name) == expected);
    check_overlap(&set, name);
    name_set_clear(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    const char *items[MAX_PATTERNS];
    struct config_strings patterns = {.items = items};
    must(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    char *rest = text, *first = strsep(&rest, "\n");
    for (char *item; patterns.num_items < MAX_PATTERNS && (item = strsep(&rest, "\n")) != NULL;) {
        items[patterns.num_items++] = item;
    }
    struct dns_name name;
    if (first[0] == '\0') {
        check(&patterns, mg_slice_of(NULL, 0));
    } else if (dns_name_from_sni(&name, mg_slice_of_text(first)) == DNS_NAME_OK) {
        check(&patterns, dns_name_slice(&name));
    }
    free(text);
    return 0;
}

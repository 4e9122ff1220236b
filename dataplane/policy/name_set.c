/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/name_set.h"

#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "minting/names.h"

static int compare_slice_text(struct mg_slice name, const char *text)
{
    size_t text_len = strlen(text);
    size_t len = name.len < text_len ? name.len : text_len;
    int order = len == 0 ? 0 : memcmp(name.data, text, len);
    return order != 0 ? order : (name.len > text_len) - (name.len < text_len);
}

static int compare_texts(const void *a, const void *b)
{
    return compare_slice_text(mg_slice_of_text(*(char *const *)a), *(char *const *)b);
}

static bool contains(char *const *sorted, size_t num, struct mg_slice name)
{
    size_t low = 0, high = num;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_slice_text(name, sorted[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

/* parent drops the left-most label; false where there is none above. */
static bool parent(struct mg_slice *name)
{
    const uint8_t *dot = name->len == 0 ? NULL : memchr(name->data, '.', name->len);
    struct mg_slice label;
    return dot != NULL && mg_slice_take(name, &label, (size_t)(dot - name->data) + 1);
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text <= 0x7f) {
        text++;
    }
    return *text == '\0';
}

/* copy_ascii puts the canonical form of |ascii| on the heap; errors call it |name|. */
static enum mg_status copy_ascii(const char *ascii, const char *name, char **out, struct mg_error *error)
{
    struct dns_name canonical;
    enum dns_name_verdict verdict = dns_name_from_sni(&canonical, mg_slice_of_text(ascii));
    if (verdict != DNS_NAME_OK) {
        return mg_error_set(error, MG_INVALID, "'%s' is no host name: %s", name, dns_name_verdict_name(verdict));
    }
    *out = strdup(canonical.text);
    return *out == NULL ? MG_MEMORY : MG_OK;
}

/* canonical_copy turns one name of the configuration into canonical form, on the heap. ASCII does not go through IDNA,
 * which refuses names that no registry gives out but that servers have, such as "r3---sn-4g5.example". */
static enum mg_status canonical_copy(const char *name, char **out, struct mg_error *error)
{
    if (is_ascii(name)) {
        return copy_ascii(name, name, out, error);
    }
    char *ascii = NULL;
    int result = idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (result != IDN2_OK) {
        return mg_error_set(error, MG_INVALID, "'%s' is no host name: %s", name, idn2_strerror(result));
    }
    enum mg_status status = copy_ascii(ascii, name, out, error);
    idn2_free(ascii);
    return status;
}

static enum mg_status add_pattern(struct name_set *set, const char *pattern, struct mg_error *error)
{
    if (strcmp(pattern, "none") == 0) {
        set->none = true;
        return MG_OK;
    }
    bool is_suffix = strncmp(pattern, "*.", 2) == 0;
    char *name;
    enum mg_status status = canonical_copy(is_suffix ? pattern + 2 : pattern, &name, error);
    if (status != MG_OK) {
        return status;
    }
    if (is_suffix) {
        set->suffixes[set->num_suffixes++] = name;
    } else {
        set->exact[set->num_exact++] = name;
    }
    return MG_OK;
}

enum mg_status name_set_build(struct name_set *out, const struct config_strings *patterns, struct mg_error *error)
{
    *out = (struct name_set){.any = patterns->num_items == 0};
    if (out->any) {
        return MG_OK;
    }
    out->exact = calloc(patterns->num_items, sizeof(char *));
    out->suffixes = calloc(patterns->num_items, sizeof(char *));
    enum mg_status status = out->exact == NULL || out->suffixes == NULL ? MG_MEMORY : MG_OK;
    for (size_t i = 0; i < patterns->num_items && status == MG_OK; i++) {
        status = add_pattern(out, patterns->items[i], error);
    }
    if (status != MG_OK) {
        name_set_clear(out);
        return status;
    }
    qsort(out->exact, out->num_exact, sizeof(char *), compare_texts);
    qsort(out->suffixes, out->num_suffixes, sizeof(char *), compare_texts);
    return MG_OK;
}

static void free_texts(char **texts, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        free(texts[i]);
    }
    free(texts);
}

void name_set_clear(struct name_set *set)
{
    free_texts(set->exact, set->num_exact);
    free_texts(set->suffixes, set->num_suffixes);
    *set = (struct name_set){0};
}

/* below_suffix tells whether |domain| itself or something above it is one of the suffixes. */
static bool at_or_below_suffix(const struct name_set *set, struct mg_slice domain)
{
    do {
        if (contains(set->suffixes, set->num_suffixes, domain)) {
            return true;
        }
    } while (parent(&domain));
    return false;
}

bool name_set_matches(const struct name_set *set, struct mg_slice name)
{
    if (set->any) {
        return true;
    }
    if (name.len == 0) {
        return set->none;
    }
    if (contains(set->exact, set->num_exact, name)) {
        return true;
    }
    struct mg_slice domain = name;
    return set->num_suffixes > 0 && parent(&domain) && at_or_below_suffix(set, domain);
}

enum name_set_overlap name_set_overlap(const struct name_set *set, struct mg_slice domain)
{
    if (set->any || (set->num_suffixes > 0 && at_or_below_suffix(set, domain))) {
        return NAME_SET_ALL;
    }
    for (size_t i = 0; i < set->num_exact; i++) {
        struct mg_slice above = mg_slice_of_text(set->exact[i]);
        if (parent(&above) && mg_slice_equal(above, domain)) {
            return NAME_SET_SOME;
        }
    }
    return NAME_SET_DISJOINT;
}

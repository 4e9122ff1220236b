/* SPDX-License-Identifier: Apache-2.0 */
/* The input, cut at its first newline, is a name asked for and a name of a certificate. */
#include <stdlib.h>

#include "minting/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* What is accepted is canonical, and stays what it is when it is read again. */
static void check(const struct dns_name *name)
{
    struct mg_slice text = dns_name_slice(name);
    must(name->len >= 1 && name->len <= DNS_NAME_MAX_LEN && name->text[name->len] == '\0');
    must(strlen(name->text) == name->len);
    must(strspn(name->text, "*abcdefghijklmnopqrstuvwxyz0123456789-_.") == name->len);
    must(strstr(name->text, "..") == NULL && name->text[0] != '.' && name->text[name->len - 1] != '.');
    struct dns_name again;
    must(dns_name_from_san(&again, text) == DNS_NAME_OK && mg_slice_equal(dns_name_slice(&again), text));
}

static void check_match(struct mg_slice presented, struct mg_slice reference)
{
    if (!dns_name_matches(presented, reference) || mg_slice_equal(presented, reference)) {
        return;
    }
    /* Only a wildcard matches what it is not: as many labels, the same but for the first. */
    must(presented.data[0] == '*' && presented.data[1] == '.');
    const uint8_t *dot = memchr(reference.data, '.', reference.len);
    must(dot != NULL && dot > reference.data);
    size_t rest_len = reference.len - (size_t)(dot - reference.data);
    must(rest_len == presented.len - 1 && memcmp(dot, presented.data + 1, rest_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t sni_len = newline != NULL ? (size_t)(newline - data) : size;
    struct mg_slice san = newline != NULL ? mg_slice_of(newline + 1, size - sni_len - 1) : mg_slice_of(data, size);
    struct dns_name host, pattern;
    bool has_host = dns_name_from_sni(&host, mg_slice_of(data, sni_len)) == DNS_NAME_OK;
    bool has_pattern = dns_name_from_san(&pattern, san) == DNS_NAME_OK;
    if (has_host) {
        check(&host);
        must(memchr(host.text, '*', host.len) == NULL);
        must(dns_name_matches(dns_name_slice(&host), dns_name_slice(&host)));
    }
    if (has_pattern) {
        check(&pattern);
        must(memchr(pattern.text + 1, '*', pattern.len) == NULL);
    }
    if (has_host && has_pattern) {
        check_match(dns_name_slice(&pattern), dns_name_slice(&host));
    }
    return 0;
}

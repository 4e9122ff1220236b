/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/leaf_names.h"

#include "hsm/der.h"

#define DNS_NAME_TAG DER_CONTEXT(2)
#define IP_ADDRESS_TAG DER_CONTEXT(7)
#define DNS_NAME_MAX_LEN 253
#define DNS_LABEL_MAX_LEN 63

bool leaf_names_read(struct mg_slice extension_value, struct mg_slice *names)
{
    return der_get(&extension_value, DER_SEQUENCE, names) && extension_value.len == 0 && names->len > 0;
}

bool leaf_names_next(struct mg_slice *names, struct leaf_name *out)
{
    uint8_t tag;
    if (!der_any(names, &tag, &out->value, NULL) || (tag != DNS_NAME_TAG && tag != IP_ADDRESS_TAG)) {
        return false;
    }
    out->kind = tag == DNS_NAME_TAG ? LEAF_NAME_DNS : LEAF_NAME_IP;
    return true;
}

static bool is_label_octet(uint8_t octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') ||
           octet == '-' || octet == '_';
}

/* take_label takes a label and the dot behind it; *is_last if there is none. */
static bool take_label(struct mg_slice *name, struct mg_slice *label, bool *is_last)
{
    const uint8_t *dot = name->len > 0 ? memchr(name->data, '.', name->len) : NULL;
    *is_last = dot == NULL;
    uint8_t ignored;
    return mg_slice_take(name, label, *is_last ? name->len : (size_t)(dot - name->data)) &&
           (*is_last || mg_slice_u8(name, &ignored));
}

static bool is_plain_label(struct mg_slice label)
{
    if (label.len < 1 || label.len > DNS_LABEL_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_label_octet(label.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_dns_name(struct mg_slice name)
{
    struct mg_slice label;
    bool is_last, is_first = true;
    if (name.len > DNS_NAME_MAX_LEN) {
        return false;
    }
    do {
        if (!take_label(&name, &label, &is_last)) {
            return false;
        }
        bool is_wildcard = is_first && !is_last && mg_slice_equal(label, mg_slice_of_text("*"));
        if (!is_wildcard && !is_plain_label(label)) {
            return false;
        }
        is_first = false;
    } while (!is_last);
    return true;
}

static bool is_allowed(const struct leaf_name *name)
{
    switch (name->kind) {
    case LEAF_NAME_DNS:
        return is_dns_name(name->value);
    case LEAF_NAME_IP:
        return name->value.len == 4 || name->value.len == 16;
    }
    return false;
}

bool leaf_names_are_allowed(struct mg_slice names)
{
    while (names.len > 0) {
        struct leaf_name name;
        if (!leaf_names_next(&names, &name) || !is_allowed(&name)) {
            return false;
        }
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/subject.h"

#include <stdint.h>
#include <string.h>

/* The string types that an attribute's syntax has (RFC 5280 appendix A.1), less those that only old ones use. */
enum syntax {
    SYNTAX_ANY = 0,   /* not known here: any of the three */
    SYNTAX_DIRECTORY, /* PrintableString or UTF8String */
    SYNTAX_PRINTABLE, /* PrintableString */
};

/* struct attribute is a type of id-at (2.5.4.last) whose syntax and upper bound are known. */
struct attribute {
    uint8_t last;
    enum syntax syntax;
    uint16_t max_characters;
};

#define ID_AT_COMMON_NAME 3
#define MAX_CHARACTERS 256 /* of the types not in the table */

static const struct attribute attributes[] = {
    {ID_AT_COMMON_NAME, SYNTAX_DIRECTORY, 64},
    {4, SYNTAX_DIRECTORY, 64},  /* surname: the bound of X.411, which clients have */
    {5, SYNTAX_PRINTABLE, 64},  /* serialNumber */
    {6, SYNTAX_PRINTABLE, 2},   /* countryName */
    {7, SYNTAX_DIRECTORY, 128}, /* localityName */
    {8, SYNTAX_DIRECTORY, 128}, /* stateOrProvinceName */
    {9, SYNTAX_DIRECTORY, 128}, /* streetAddress */
    {10, SYNTAX_DIRECTORY, 64}, /* organizationName */
    {11, SYNTAX_DIRECTORY, 64}, /* organizationalUnitName */
    {12, SYNTAX_DIRECTORY, 64}, /* title */
    {17, SYNTAX_DIRECTORY, 16}, /* postalCode */
    {42, SYNTAX_DIRECTORY, 64}, /* givenName, as surname */
};

static const struct attribute *attribute_of(CBS oid)
{
    static const struct attribute other = {.max_characters = MAX_CHARACTERS};
    const uint8_t id_at[] = {0x55, 0x04};
    CBS arc;
    uint8_t last;
    if (CBS_len(&oid) != sizeof(id_at) + 1 || !CBS_get_bytes(&oid, &arc, sizeof(id_at)) ||
        !CBS_mem_equal(&arc, id_at, sizeof(id_at)) || !CBS_get_u8(&oid, &last)) {
        return &other;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes); i++) {
        if (attributes[i].last == last) {
            return &attributes[i];
        }
    }
    return &other;
}

/* The alphabet of PrintableString (X.680 section 41.4). */
static bool is_printable_string_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(" '()+,-./:=?", c) != NULL);
}

/* get_utf8 reads one character: shortest form, no surrogates, at most U+10FFFF (RFC 3629 section 3). */
static bool get_utf8(CBS *in, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000}; /* by the number of further bytes */
    uint8_t first, next;
    if (!CBS_get_u8(in, &first)) {
        return false;
    }
    unsigned num_further = first < 0x80 ? 0 : (first & 0xe0) == 0xc0 ? 1 : (first & 0xf0) == 0xe0 ? 2 : 3;
    if (num_further == 3 && (first & 0xf8) != 0xf0) {
        return false;
    }
    uint32_t character = num_further == 0 ? first : first & (0x3fu >> num_further);
    for (unsigned i = 0; i < num_further; i++) {
        if (!CBS_get_u8(in, &next) || (next & 0xc0) != 0x80) {
            return false;
        }
        character = character << 6 | (next & 0x3f);
    }
    *out = character;
    return character >= smallest[num_further] && character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/* get_character reads one character of a string of type |tag|. */
static bool get_character(CBS *in, unsigned tag, uint32_t *out)
{
    if (!get_utf8(in, out) || is_control(*out)) {
        return false;
    }
    switch (tag) {
    case CBS_ASN1_PRINTABLESTRING:
        return *out < 0x80 && is_printable_string_character((uint8_t)*out);
    case CBS_ASN1_IA5STRING:
        return *out < 0x80;
    default:
        return true;
    }
}

static bool type_is_fit(unsigned tag, enum syntax syntax)
{
    switch (tag) {
    case CBS_ASN1_PRINTABLESTRING:
        return true;
    case CBS_ASN1_UTF8STRING:
        return syntax != SYNTAX_PRINTABLE;
    case CBS_ASN1_IA5STRING:
        return syntax == SYNTAX_ANY;
    default:
        return false;
    }
}

static bool value_is_fit(CBS value, unsigned tag, const struct attribute *attribute)
{
    if (!type_is_fit(tag, attribute->syntax)) {
        return false;
    }
    size_t num_characters = 0;
    uint32_t character;
    while (CBS_len(&value) > 0) {
        if (!get_character(&value, tag, &character)) {
            return false;
        }
        num_characters++;
    }
    return num_characters > 0 && num_characters <= attribute->max_characters;
}

/* is_oid tells whether |oid| is the content of an OBJECT IDENTIFIER: whole subidentifiers, each in as few bytes as it
 * takes (X.690 section 8.19). */
static bool is_oid(CBS oid)
{
    uint8_t byte;
    bool starts = true;
    while (CBS_get_u8(&oid, &byte)) {
        if (starts && byte == 0x80) {
            return false;
        }
        starts = (byte & 0x80) == 0;
        if (CBS_len(&oid) == 0) {
            return starts;
        }
    }
    return false;
}

static bool check_rdn(CBS *rdns, CBS *common_name)
{
    CBS rdn, pair, oid, value;
    unsigned tag;
    if (!CBS_get_asn1(rdns, &rdn, CBS_ASN1_SET) || !CBS_get_asn1(&rdn, &pair, CBS_ASN1_SEQUENCE) ||
        CBS_len(&rdn) != 0 || !CBS_get_asn1(&pair, &oid, CBS_ASN1_OBJECT) || !is_oid(oid) ||
        !CBS_get_any_asn1(&pair, &value, &tag) || CBS_len(&pair) != 0) {
        return false;
    }
    const struct attribute *attribute = attribute_of(oid);
    if (attribute->last == ID_AT_COMMON_NAME) {
        *common_name = value;
    }
    return value_is_fit(value, tag, attribute);
}

bool subject_check(CBS element, CBS *out_common_name)
{
    CBS_init(out_common_name, NULL, 0);
    CBS rdns;
    if (CBS_len(&element) > SUBJECT_MAX_LEN || !CBS_get_asn1(&element, &rdns, CBS_ASN1_SEQUENCE) ||
        CBS_len(&rdns) == 0) {
        return false;
    }
    while (CBS_len(&rdns) > 0) {
        if (!check_rdn(&rdns, out_common_name)) {
            return false;
        }
    }
    return true;
}

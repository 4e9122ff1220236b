/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_ITEM 1024
#define MAX_HOST 253

/* ---- each kind: takes a text to a GeneralName's value; false: it is malformed ---- */

static bool set_text(GENERAL_NAME *name, int type, const char *text)
{
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    if (value == NULL || ASN1_STRING_set(value, text, -1) != 1) {
        ASN1_IA5STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text >= 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_host(const char *text)
{
    size_t len = strlen(text), label = 0;
    bool has_wildcard = strncmp(text, "*.", 2) == 0;
    for (size_t i = has_wildcard ? 2 : 0; i < len; i++) {
        bool is_dot = text[i] == '.';
        if ((!is_dot && !isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_') ||
            (is_dot && label == 0) || (!is_dot && label == 63)) {
            return false;
        }
        label = is_dot ? 0 : label + 1;
    }
    return label > 0 && len <= MAX_HOST;
}

static bool set_host(GENERAL_NAME *name, const char *text)
{
    const char *at = strchr(text, '@');
    if (at != NULL) {
        return at != text && is_printable(text) && is_host(at + 1) && set_text(name, GEN_EMAIL, text);
    }
    return is_host(text) && set_text(name, GEN_DNS, text);
}

static bool set_address(GENERAL_NAME *name, const char *text)
{
    uint8_t bytes[16];
    bool is_v4 = inet_pton(AF_INET, text, bytes) == 1;
    ASN1_OCTET_STRING *value = is_v4 || inet_pton(AF_INET6, text, bytes) == 1 ? ASN1_OCTET_STRING_new() : NULL;
    if (value == NULL || ASN1_OCTET_STRING_set(value, bytes, is_v4 ? 4 : 16) != 1) {
        ASN1_OCTET_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, value);
    return true;
}

bool pca_is_url(const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    return scheme > 0 && text[scheme] != '\0' && is_printable(text);
}

/* RFC 5280 section 4.2.1.6: absolute, with a scheme and something behind it. */
static bool set_uri(GENERAL_NAME *name, const char *text)
{
    const char *colon = strchr(text, ':');
    return colon != NULL && colon != text && colon[1] != '\0' && isalpha((unsigned char)text[0]) &&
           is_printable(text) && set_text(name, GEN_URI, text);
}

static bool set_other_value(GENERAL_NAME *name, ASN1_OBJECT *type, const char *text)
{
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_UTF8STRING *string = ASN1_UTF8STRING_new();
    if (value == NULL || string == NULL || ASN1_STRING_set(string, text, -1) != 1) {
        ASN1_TYPE_free(value);
        ASN1_UTF8STRING_free(string);
        return false;
    }
    ASN1_TYPE_set(value, V_ASN1_UTF8STRING, string);
    if (GENERAL_NAME_set0_othername(name, type, value) != 1) {
        ASN1_TYPE_free(value);
        return false;
    }
    return true;
}

static bool set_other(GENERAL_NAME *name, const char *text)
{
    static const char kind[] = ";UTF8:";
    char oid[128];
    const char *at = strstr(text, kind);
    if (at == NULL || (size_t)(at - text) >= sizeof(oid) || !mg_utf8_is_label(mg_slice_of_text(text))) {
        return false;
    }
    memcpy(oid, text, (size_t)(at - text));
    oid[at - text] = '\0';
    ASN1_OBJECT *type = OBJ_txt2obj(oid, 1);
    if (type == NULL) {
        return false;
    }
    bool ok = set_other_value(name, type, at + sizeof(kind) - 1);
    if (!ok) {
        ASN1_OBJECT_free(type);
    }
    return ok;
}

static bool (*const setters[])(GENERAL_NAME *name, const char *text) = {
    [PCA_NAME_HOST] = set_host,
    [PCA_NAME_ADDRESS] = set_address,
    [PCA_NAME_URI] = set_uri,
    [PCA_NAME_OTHER] = set_other,
};

/* ---- lists ---- */

static bool add_one(GENERAL_NAMES *names, enum pca_name_kind kind, const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name == NULL || !setters[kind](name, text) || sk_GENERAL_NAME_push(names, name) <= 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

bool pca_names_add(GENERAL_NAMES *names, enum pca_name_kind kind, const char *list)
{
    while (list != NULL && *list != '\0') {
        char item[MAX_ITEM];
        const char *begin = list + strspn(list, " "), *end = begin + strcspn(begin, ",");
        size_t len = (size_t)(end - begin);
        while (len > 0 && begin[len - 1] == ' ') {
            len--;
        }
        if (len == 0 || len >= sizeof(item)) {
            return false;
        }
        memcpy(item, begin, len);
        item[len] = '\0';
        if (!add_one(names, kind, item)) {
            return false;
        }
        list = *end == ',' ? end + 1 : end;
    }
    return true;
}

/* ---- usages ---- */

/* same_word compares letters alone, whatever their case. */
static bool same_word(const char *a, const char *b)
{
    for (;;) {
        while (*a != '\0' && !isalpha((unsigned char)*a)) {
            a++;
        }
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        if (*b == '\0') {
            return true;
        }
        a++;
        b++;
    }
}

unsigned pca_key_usage_of(const char *word)
{
    static const struct {
        const char *word;
        unsigned flag;
    } words[] = {
        {"digitalSignature", KU_DIGITAL_SIGNATURE}, {"nonRepudiation", KU_NON_REPUDIATION},
        {"contentCommitment", KU_NON_REPUDIATION},  {"keyEncipherment", KU_KEY_ENCIPHERMENT},
        {"dataEncipherment", KU_DATA_ENCIPHERMENT}, {"keyAgreement", KU_KEY_AGREEMENT},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(words); i++) {
        if (same_word(word, words[i].word)) {
            return words[i].flag;
        }
    }
    return 0;
}

int pca_extended_usage_of(const char *word)
{
    static const struct {
        const char *word;
        int nid;
    } words[] = {
        {"serverAuth", NID_server_auth},        {"clientAuth", NID_client_auth},  {"codeSigning", NID_code_sign},
        {"emailProtection", NID_email_protect}, {"timeStamping", NID_time_stamp}, {"ocspSigning", NID_OCSP_sign},
        {"any", NID_anyExtendedKeyUsage},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(words); i++) {
        if (same_word(word, words[i].word)) {
            return words[i].nid;
        }
    }
    return NID_undef;
}

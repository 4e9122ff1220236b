/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/certificate_json.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/buffer.h"
#include "base/utf8.h"

#define MAX_TEXT 4096

/* text_of gives what |bio| holds as JSON's text; what is no UTF-8 (there are such names) becomes '?'. Takes |bio|. */
static json_t *text_of(BIO *bio)
{
    char *data = NULL, text[MAX_TEXT];
    long len = BIO_get_mem_data(bio, &data);
    struct mg_buffer out;
    struct mg_slice rest = mg_slice_of(data, len > 0 ? (size_t)len : 0), byte;
    mg_buffer_wrap(&out, text, sizeof(text));
    while (rest.len > 0) {
        struct mg_slice before = rest;
        uint32_t character;
        if (mg_utf8_take(&rest, &character) && character >= ' ') {
            mg_buffer_append(&out, before.data, before.len - rest.len);
        } else if (before.len != rest.len || mg_slice_take(&rest, &byte, 1)) {
            mg_buffer_append_u8(&out, '?');
        }
    }
    BIO_free(bio);
    return json_stringn(text, out.len);
}

static json_t *name_of(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    return text_of(bio);
}

/* serial_of gives the octets of the serial number, a zero before one that would look negative. */
static json_t *serial_of(const X509 *x509)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
    uint8_t octets[64] = {0};
    char text[3 * sizeof(octets) + 1] = "00";
    size_t len = 0;
    int num_octets = number != NULL && BN_num_bytes(number) < (int)sizeof(octets) ? BN_bn2bin(number, octets + 1) : 0;
    int first = num_octets > 0 && octets[1] < 0x80 ? 1 : 0;
    for (int i = first; num_octets > 0 && i <= num_octets; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%02x", i > first ? ":" : "", octets[i]);
    }
    BN_free(number);
    return json_string(text);
}

static json_t *key_of(X509 *x509)
{
    const EVP_PKEY *key = X509_get0_pubkey(x509);
    const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);
    return json_sprintf("%s Public Key, %d bits", type == NULL ? "Unknown" : type,
                        key == NULL ? 0 : EVP_PKEY_get_bits(key));
}

/* algorithm_of names the signature's algorithm as Java does. */
static json_t *algorithm_of(const X509 *x509)
{
    int digest = NID_undef, key = NID_undef;
    int nid = X509_get_signature_nid(x509);
    const char *name = OBJ_nid2sn(nid), *digest_name;
    if (OBJ_find_sigid_algs(nid, &digest, &key) != 1 || digest == NID_undef) {
        return json_string(name == NULL ? "unknown" : name);
    }
    digest_name = OBJ_nid2sn(digest);
    return json_sprintf("%swith%s", digest_name == NULL ? "unknown" : digest_name,
                        key == NID_rsaEncryption          ? "RSA"
                        : key == NID_X9_62_id_ecPublicKey ? "ECDSA"
                                                          : OBJ_nid2sn(key));
}

static json_t *names_of(const X509 *x509)
{
    json_t *list = json_array();
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));
        (void)json_array_append_new(list, text_of(bio));
    }
    GENERAL_NAMES_free(names);
    return list;
}

static int64_t ms_of(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

json_t *certificate_json_info(X509 *x509, int64_t now_ms)
{
    int64_t from = ms_of(X509_get0_notBefore(x509)), until = ms_of(X509_get0_notAfter(x509));
    bool is_ca = (X509_get_extension_flags(x509) & EXFLAG_CA) != 0;
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i}", "basicConstraints",
                     is_ca ? "CA:TRUE" : "CA:FALSE", "expiryDate", (json_int_t)until, "isValid",
                     now_ms >= from && now_ms <= until ? "Yes" : "No", "issuer", name_of(X509_get_issuer_name(x509)),
                     "publicKey", key_of(x509), "serialNumber", serial_of(x509), "sigAlgName", algorithm_of(x509),
                     "subject", name_of(X509_get_subject_name(x509)), "subjectAlternativeNames", names_of(x509),
                     "validFrom", (json_int_t)from, "version", (int)X509_get_version(x509) + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gnutls_verifier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define MAX_DER 4096
#define MAX_SPKI 1024
#define DAY INT64_C(86400)

struct verifier {
    gnutls_privkey_t root_key;
    gnutls_x509_crt_t root, issuer;
    gnutls_datum_t root_der, issuer_der, issuer_name;
    uint8_t issuer_key_id[64];
    size_t issuer_key_id_len;
};

/* must fails the test unless GnuTLS did what it was to do. */
static void must(int rc)
{
    if (rc < 0) {
        fail_msg("GnuTLS: %s", gnutls_strerror(rc));
    }
}

static gnutls_datum_t datum_of(struct mg_slice slice)
{
    /* GnuTLS reads it only */
    return (gnutls_datum_t){.data = MG_UNCONST(slice.data), .size = (unsigned)slice.len};
}

static struct mg_slice slice_of(const gnutls_datum_t *datum)
{
    return mg_slice_of(datum->data, datum->size);
}

/* The authority */

static gnutls_privkey_t new_key(bool is_rsa)
{
    gnutls_privkey_t key;
    must(gnutls_privkey_init(&key));
    must(is_rsa ? gnutls_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0)
                : gnutls_privkey_generate(key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    return key;
}

static gnutls_pubkey_t public_of(gnutls_privkey_t key)
{
    gnutls_pubkey_t pubkey;
    must(gnutls_pubkey_init(&pubkey));
    must(gnutls_pubkey_import_privkey(pubkey, key, 0, 0));
    return pubkey;
}

void verifier_new_spki(bool is_rsa, struct mg_buffer *out)
{
    gnutls_privkey_t key = new_key(is_rsa);
    gnutls_pubkey_t pubkey = public_of(key);
    gnutls_datum_t der;
    must(gnutls_pubkey_export2(pubkey, GNUTLS_X509_FMT_DER, &der));
    mg_buffer_append_slice(out, slice_of(&der));
    gnutls_free(der.data);
    gnutls_pubkey_deinit(pubkey);
    gnutls_privkey_deinit(key);
}

/* read_back replaces |*made|, of which GnuTLS knows less than of a certificate that it has read, by itself read from
 * its DER, which goes to |*der|. */
static void read_back(gnutls_x509_crt_t *made, gnutls_datum_t *der)
{
    must(gnutls_x509_crt_export2(*made, GNUTLS_X509_FMT_DER, der));
    gnutls_x509_crt_deinit(*made);
    must(gnutls_x509_crt_init(made));
    must(gnutls_x509_crt_import(*made, der, GNUTLS_X509_FMT_DER));
}

/* certify makes a CA certificate for |pubkey|, signed by the root; by itself where there is no root yet. */
static gnutls_x509_crt_t certify(const struct verifier *verifier, gnutls_pubkey_t pubkey, const char *name,
                                 int path_len)
{
    gnutls_x509_crt_t made;
    uint8_t key_id[64];
    size_t key_id_len = sizeof(key_id);
    const char *wrong;
    must(gnutls_x509_crt_init(&made));
    must(gnutls_x509_crt_set_version(made, 3));
    must(gnutls_x509_crt_set_serial(made, "\x01\x02\x03\x04\x05\x06\x07\x08", 8));
    must(gnutls_x509_crt_set_activation_time(made, time(NULL) - 3600));
    must(gnutls_x509_crt_set_expiration_time(made, time(NULL) + 300 * DAY));
    must(gnutls_x509_crt_set_dn(made, name, &wrong));
    must(gnutls_x509_crt_set_pubkey(made, pubkey));
    must(gnutls_x509_crt_set_basic_constraints(made, 1, path_len));
    must(gnutls_x509_crt_set_key_usage(made, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
    must(gnutls_pubkey_get_key_id(pubkey, GNUTLS_KEYID_USE_SHA1, key_id, &key_id_len));
    must(gnutls_x509_crt_set_subject_key_id(made, key_id, key_id_len));
    must(gnutls_x509_crt_privkey_sign(made, verifier->root != NULL ? verifier->root : made, verifier->root_key,
                                      GNUTLS_DIG_SHA256, 0));
    return made;
}

struct verifier *verifier_new(void)
{
    struct verifier *verifier = calloc(1, sizeof(*verifier));
    assert_non_null(verifier);
    verifier->root_key = new_key(false);
    gnutls_pubkey_t pubkey = public_of(verifier->root_key);
    verifier->root = certify(verifier, pubkey, "CN=Verifier's Root", 1);
    read_back(&verifier->root, &verifier->root_der);
    gnutls_pubkey_deinit(pubkey);
    return verifier;
}

static void drop_issuer(struct verifier *verifier)
{
    gnutls_x509_crt_deinit(verifier->issuer);
    gnutls_free(verifier->issuer_der.data);
    gnutls_free(verifier->issuer_name.data);
    verifier->issuer = NULL;
}

void verifier_free(struct verifier *verifier)
{
    drop_issuer(verifier);
    gnutls_x509_crt_deinit(verifier->root);
    gnutls_free(verifier->root_der.data);
    gnutls_privkey_deinit(verifier->root_key);
    free(verifier);
}

void verifier_certify(struct verifier *verifier, struct mg_slice spki)
{
    gnutls_pubkey_t pubkey;
    gnutls_datum_t der = datum_of(spki);
    drop_issuer(verifier);
    must(gnutls_pubkey_init(&pubkey));
    must(gnutls_pubkey_import(pubkey, &der, GNUTLS_X509_FMT_DER));
    verifier->issuer = certify(verifier, pubkey, "CN=Corp CA,O=Corp", 0);
    gnutls_pubkey_deinit(pubkey);
    read_back(&verifier->issuer, &verifier->issuer_der);
    must(gnutls_x509_crt_get_raw_dn(verifier->issuer, &verifier->issuer_name));
    verifier->issuer_key_id_len = sizeof(verifier->issuer_key_id);
    must(gnutls_x509_crt_get_subject_key_id(verifier->issuer, verifier->issuer_key_id, &verifier->issuer_key_id_len,
                                            NULL));
}

struct mg_slice verifier_issuer(const struct verifier *verifier)
{
    return slice_of(&verifier->issuer_der);
}

struct mg_slice verifier_root(const struct verifier *verifier)
{
    return slice_of(&verifier->root_der);
}

struct mg_slice verifier_issuer_name(const struct verifier *verifier)
{
    return slice_of(&verifier->issuer_name);
}

struct mg_slice verifier_issuer_key_id(const struct verifier *verifier)
{
    return mg_slice_of(verifier->issuer_key_id, verifier->issuer_key_id_len);
}

/* The verifier: each check returns NULL, or what is wrong. */

static const char *check_chain(const struct verifier *verifier, gnutls_x509_crt_t leaf)
{
    gnutls_x509_crt_t chain[] = {leaf, verifier->issuer}, root = verifier->root;
    unsigned status = 0;
    must(gnutls_x509_crt_list_verify(chain, MG_ARRAY_LEN(chain), &root, 1, NULL, 0, 0, &status));
    if (status != 0) {
        return "the chain does not verify";
    }
    return gnutls_x509_crt_check_issuer(leaf, verifier->issuer) == 1 ? NULL : "the issuer is another one";
}

static const char *check_algorithm(gnutls_x509_crt_t leaf, enum wire_key_type type)
{
    static const gnutls_sign_algorithm_t algorithms[] = {
        [WIRE_KEY_EC_P256] = GNUTLS_SIGN_ECDSA_SHA256, [WIRE_KEY_EC_P384] = GNUTLS_SIGN_ECDSA_SHA384,
        [WIRE_KEY_RSA_2048] = GNUTLS_SIGN_RSA_SHA256,  [WIRE_KEY_RSA_3072] = GNUTLS_SIGN_RSA_SHA256,
        [WIRE_KEY_RSA_4096] = GNUTLS_SIGN_RSA_SHA256,
    };
    bool ok = gnutls_x509_crt_get_signature_algorithm(leaf) == (int)algorithms[type];
    return ok ? NULL : "the signature algorithm is not that of the key";
}

static const char *check_key_ids(const struct verifier *verifier, gnutls_x509_crt_t leaf)
{
    uint8_t id[64];
    size_t len = sizeof(id);
    bool ok = gnutls_x509_crt_get_authority_key_id(leaf, id, &len, NULL) >= 0 &&
              mg_slice_equal(mg_slice_of(id, len), verifier_issuer_key_id(verifier));
    return ok ? NULL : "authorityKeyIdentifier is not the issuer's subjectKeyIdentifier";
}

static const char *check_serial(gnutls_x509_crt_t leaf, const struct leaf_wish *wish)
{
    uint8_t serial[64];
    size_t len = sizeof(serial);
    bool ok = gnutls_x509_crt_get_serial(leaf, serial, &len) >= 0 && len == sizeof(wish->serial) &&
              memcmp(serial, wish->serial, len) == 0;
    return ok ? NULL : "another serial number";
}

static const char *check_validity(gnutls_x509_crt_t leaf, const struct leaf_wish *wish)
{
    bool ok = gnutls_x509_crt_get_activation_time(leaf) == wish->not_before &&
              gnutls_x509_crt_get_expiration_time(leaf) == wish->not_after;
    return ok ? NULL : "another validity";
}

static const char *check_subject(gnutls_x509_crt_t leaf, const struct leaf_wish *wish)
{
    char text[2 * WISH_MAX_NAME] = "", expected[2 * WISH_MAX_NAME] = "";
    size_t len = sizeof(text);
    int rc = gnutls_x509_crt_get_dn(leaf, text, &len);
    if (wish->has_subject) {
        snprintf(expected, sizeof(expected), "CN=%s", wish->names[0]);
    }
    bool ok = rc >= 0 ? strcmp(text, expected) == 0 : rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE && !wish->has_subject;
    return ok ? NULL : "another subject";
}

static const char *check_public_key(gnutls_x509_crt_t leaf, const struct leaf_wish *wish)
{
    gnutls_pubkey_t pubkey;
    gnutls_datum_t der;
    must(gnutls_pubkey_init(&pubkey));
    must(gnutls_pubkey_import_x509(pubkey, leaf, 0));
    must(gnutls_pubkey_export2(pubkey, GNUTLS_X509_FMT_DER, &der));
    bool ok = mg_slice_equal(slice_of(&der), wish->spki);
    gnutls_free(der.data);
    gnutls_pubkey_deinit(pubkey);
    return ok ? NULL : "another public key";
}

/* is_name tells whether the name at |index| of the subjectAltName is of |type| and |expected|. */
static bool is_name(gnutls_x509_crt_t leaf, unsigned index, int type, struct mg_slice expected)
{
    char name[256];
    size_t len = sizeof(name);
    return gnutls_x509_crt_get_subject_alt_name(leaf, index, name, &len, NULL) == type &&
           mg_slice_equal(mg_slice_of(name, len), expected);
}

static const char *check_names(gnutls_x509_crt_t leaf, const struct leaf_wish *wish)
{
    unsigned index = 0;
    char name[256];
    size_t len = sizeof(name);
    for (; index < wish->num_names; index++) {
        if (!is_name(leaf, index, GNUTLS_SAN_DNSNAME, mg_slice_of_text(wish->names[index]))) {
            return "another DNS name";
        }
    }
    if (wish->has_address &&
        !is_name(leaf, index++, GNUTLS_SAN_IPADDRESS, mg_slice_of(wish->address, sizeof(wish->address)))) {
        return "another address";
    }
    bool ends =
        gnutls_x509_crt_get_subject_alt_name(leaf, index, name, &len, NULL) == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
    return ends ? NULL : "a name too many";
}

/* What every leaf has, and nothing more than those six extensions. */
static const char *check_profile(gnutls_x509_crt_t leaf)
{
    unsigned critical, is_ca, usage;
    int path_len;
    char oid[64];
    size_t len = sizeof(oid);
    if (gnutls_x509_crt_get_version(leaf) != 3) {
        return "not version 3";
    }
    if (gnutls_x509_crt_get_basic_constraints(leaf, &critical, &is_ca, &path_len) < 0 || !critical || is_ca) {
        return "not CA:FALSE";
    }
    if (gnutls_x509_crt_get_key_usage(leaf, &usage, &critical) < 0 || usage != GNUTLS_KEY_DIGITAL_SIGNATURE) {
        return "another key usage";
    }
    if (gnutls_x509_crt_get_key_purpose_oid(leaf, 0, oid, &len, &critical) < 0 ||
        strcmp(oid, GNUTLS_KP_TLS_WWW_SERVER) != 0) {
        return "another extended key usage";
    }
    len = sizeof(oid);
    bool ends = gnutls_x509_crt_get_extension_oid(leaf, 6, oid, &len) == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
    return ends ? NULL : "an extension too many";
}

const char *verifier_check(const struct verifier *verifier, struct mg_slice certificate, enum wire_key_type type,
                           const struct leaf_wish *wish)
{
    gnutls_x509_crt_t leaf;
    gnutls_datum_t der = datum_of(certificate);
    must(gnutls_x509_crt_init(&leaf));
    const char *wrong = gnutls_x509_crt_import(leaf, &der, GNUTLS_X509_FMT_DER) < 0 ? "not a certificate" : NULL;
    wrong = wrong != NULL ? wrong : check_chain(verifier, leaf);
    wrong = wrong != NULL ? wrong : check_algorithm(leaf, type);
    wrong = wrong != NULL ? wrong : check_key_ids(verifier, leaf);
    wrong = wrong != NULL ? wrong : check_serial(leaf, wish);
    wrong = wrong != NULL ? wrong : check_validity(leaf, wish);
    wrong = wrong != NULL ? wrong : check_subject(leaf, wish);
    wrong = wrong != NULL ? wrong : check_public_key(leaf, wish);
    wrong = wrong != NULL ? wrong : check_names(leaf, wish);
    wrong = wrong != NULL ? wrong : check_profile(leaf);
    gnutls_x509_crt_deinit(leaf);
    return wrong;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/pkcs12_file.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

/* RFC 3986's reserved characters, and '%' and '^'. */
static const char forbidden[] = "!%^&#:/?[]@$'()*+,;=";

/* A file that is being read. */
struct reading {
    struct material *material;
    struct passphrase *passphrase;
    size_t num_bags;
};

enum mg_status pkcs12_file_check_password(struct mg_slice password, struct mg_error *error)
{
    uint8_t c;
    while (mg_slice_u8(&password, &c)) {
        if (c == '\0' || strchr(forbidden, c) != NULL) {
            return mg_error_set(error, MG_INVALID, "password: must not contain %s%c%s",
                                c == '\0' ? "NUL" : "the character '", c == '\0' ? ' ' : c, c == '\0' ? "" : "'");
        }
    }
    return MG_OK;
}

static enum mg_status malformed(struct mg_error *error)
{
    return mg_error_set(error, MG_INVALID, "file: is not a PKCS#12 file, or a damaged one (RFC 7292)");
}

/* ---- the password ---- */

static enum mg_status check_mac(PKCS12 *pkcs12, struct passphrase *passphrase, struct mg_error *error)
{
    const ASN1_INTEGER *iterations;
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, pkcs12);
    enum mg_status status = MG_OK;
    if (iterations != NULL) { /* else it is one */
        status = key_derivation_spend(&passphrase->budget, iterations, error);
    }
    if (status == MG_OK &&
        PKCS12_verify_mac(pkcs12, (const char *)passphrase->text.data, (int)passphrase->text.len) != 1) {
        status = mg_error_set(error, MG_INVALID, "password: does not open the PKCS#12 file");
    }
    return status;
}

/* A file without a password has either none or an empty one, which are two things to PKCS#12. */
static enum mg_status unlock(PKCS12 *pkcs12, struct passphrase *passphrase, struct mg_error *error)
{
    if (PKCS12_mac_present(pkcs12) != 1) {
        return mg_error_set(error, MG_INVALID, "file: has no MAC, so that nothing vouches for it (RFC 7292 section 4)");
    }
    enum mg_status status = check_mac(pkcs12, passphrase, error);
    if (status != MG_OK && passphrase->text.len == 0) {
        passphrase->text = passphrase->text.data == NULL ? mg_slice_of("", 0) : mg_slice_of(NULL, 0);
        status = check_mac(pkcs12, passphrase, error);
    }
    return status;
}

/* ---- bags ---- */

static enum mg_status read_certificate(const struct reading *reading, PKCS12_SAFEBAG *bag, struct mg_error *error)
{
    X509 *x509 = PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate ? PKCS12_SAFEBAG_get1_cert(bag) : NULL;
    return x509 != NULL ? material_add_certificate(reading->material, x509, error) : malformed(error);
}

static enum mg_status read_bag(struct reading *reading, PKCS12_SAFEBAG *bag, struct mg_error *error)
{
    if (++reading->num_bags > PKCS12_FILE_MAX_BAGS) {
        return mg_error_set(error, MG_INVALID, "file: has more than %d bags", PKCS12_FILE_MAX_BAGS);
    }
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_certBag:
        return read_certificate(reading, bag, error);
    case NID_keyBag:
        return private_key_of_info(reading->material, PKCS12_SAFEBAG_get0_p8inf(bag), error);
    case NID_pkcs8ShroudedKeyBag:
        return private_key_of_encrypted(reading->material, PKCS12_SAFEBAG_get0_pkcs8(bag), reading->passphrase, error);
    default:
        return mg_error_set(error, MG_INVALID, "file: has a bag that holds neither a certificate nor a private key");
    }
}

static enum mg_status read_bags(struct reading *reading, const STACK_OF(PKCS12_SAFEBAG) * bags, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (int i = 0; status == MG_OK && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        status = read_bag(reading, sk_PKCS12_SAFEBAG_value(bags, i), error);
    }
    return status;
}

/* ---- safes ---- */

/* open_encrypted decrypts a safe; NULL with |error| set. */
static STACK_OF(PKCS12_SAFEBAG) *
    open_encrypted(const struct reading *reading, PKCS7 *safe, enum mg_status *status, struct mg_error *error)
{
    const PKCS7_ENCRYPT *encrypted = safe->d.encrypted;
    struct passphrase *passphrase = reading->passphrase;
    if (encrypted == NULL || encrypted->enc_data == NULL || encrypted->enc_data->algorithm == NULL) {
        *status = malformed(error);
        return NULL;
    }
    *status = key_derivation_spend_for(&passphrase->budget, encrypted->enc_data->algorithm, error);
    if (*status != MG_OK) {
        return NULL;
    }
    STACK_OF(PKCS12_SAFEBAG) *bags =
        PKCS12_unpack_p7encdata(safe, (const char *)passphrase->text.data, (int)passphrase->text.len);
    if (bags == NULL) {
        *status =
            mg_error_set(error, MG_INVALID,
                         "file: cannot be decrypted: it is damaged, or encrypted by an obsolete algorithm such as "
                         "RC2 (export it again with AES)");
    }
    return bags;
}

static enum mg_status read_safe(struct reading *reading, PKCS7 *safe, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    if (PKCS7_type_is_data(safe)) {
        bags = safe->d.data != NULL ? PKCS12_unpack_p7data(safe) : NULL;
        status = bags != NULL ? MG_OK : malformed(error);
    } else if (PKCS7_type_is_encrypted(safe)) {
        bags = open_encrypted(reading, safe, &status, error);
    } else {
        return mg_error_set(error, MG_INVALID, "file: a part of it is encrypted by a public key, not by a password");
    }
    if (status == MG_OK) {
        status = read_bags(reading, bags, error);
    }
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return status;
}

static enum mg_status read_safes(struct reading *reading, const PKCS12 *pkcs12, struct mg_error *error)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(pkcs12);
    enum mg_status status = safes != NULL ? MG_OK : malformed(error);
    for (int i = 0; status == MG_OK && i < sk_PKCS7_num(safes); i++) {
        status = read_safe(reading, sk_PKCS7_value(safes, i), error);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return status;
}

static enum mg_status read_all(struct reading *reading, PKCS12 *pkcs12, struct mg_error *error)
{
    enum mg_status status = unlock(pkcs12, reading->passphrase, error);
    if (status == MG_OK) {
        status = read_safes(reading, pkcs12, error);
    }
    if (status == MG_OK && (reading->material->key == NULL || reading->material->num_certificates == 0)) {
        status = mg_error_set(error, MG_INVALID, "file: must hold a private key and its certificate");
    }
    return status;
}

enum mg_status pkcs12_file_read(struct material *material, struct mg_slice file, struct passphrase *passphrase,
                                struct mg_error *error)
{
    struct reading reading = {.material = material, .passphrase = passphrase};
    const uint8_t *at = file.data;
    enum mg_status status = pkcs12_file_check_password(passphrase->text, error);
    if (status != MG_OK) {
        return status;
    }
    PKCS12 *pkcs12 = file.len > 0 ? d2i_PKCS12(NULL, &at, (long)file.len) : NULL;
    status = pkcs12 != NULL && at == file.data + file.len ? read_all(&reading, pkcs12, error) : malformed(error);
    PKCS12_free(pkcs12);
    ERR_clear_error();
    if (status == MG_OK) {
        material_sort(material);
    }
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/pem_bundle.h"

#include "base/secret.h"
#include "control/http/scan.h"
#include "ossl/base64.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* One block of the file; slices of it. */
struct block {
    struct mg_slice label, body;
    bool follows_text, follows_block; /* on the same line */
};

bool pem_bundle_looks_like(struct mg_slice file)
{
    return scan_find(file, mg_slice_of_text(BEGIN)) < file.len;
}

/* take_until takes what stands before |mark| off the front, and |mark| too; false if it is not there. */
static bool take_until(struct mg_slice *in, const char *mark, struct mg_slice *out)
{
    size_t at = scan_find(*in, mg_slice_of_text(mark));
    struct mg_slice taken;
    return at < in->len && mg_slice_take(in, out, at) && mg_slice_take(in, &taken, strlen(mark));
}

/* next_block takes the next block off |in|; *found is false where there is none any more. */
static enum mg_status next_block(struct mg_slice *in, struct block *out, bool *found, struct mg_error *error)
{
    struct mg_slice before, label;
    *found = take_until(in, BEGIN, &before);
    if (!*found) {
        return MG_OK;
    }
    out->follows_text = before.len > 0 && before.data[before.len - 1] != '\n';
    out->follows_block = before.len == 0;
    if (!take_until(in, DASHES, &out->label) || out->label.len > 64) {
        return mg_error_set(error, MG_INVALID, "file: a PEM block has no label");
    }
    if (!take_until(in, END, &out->body)) {
        return mg_error_set(error, MG_INVALID, "file: a PEM block has no end");
    }
    if (!mg_slice_take(in, &label, out->label.len) || !mg_slice_equal(label, out->label) ||
        !(scan_skip(in, DASHES) || scan_skip(in, "----"))) {
        return mg_error_set(error, MG_INVALID, "file: a PEM block ends under another label than it begins with");
    }
    return MG_OK;
}

/* Kinds of blocks, by their labels. */

static enum mg_status read_certificate(struct material *material, struct mg_slice der, struct passphrase *passphrase,
                                       struct mg_error *error)
{
    (void)passphrase;
    return material_add_der(material, der, error);
}

static enum mg_status read_key(struct material *material, struct mg_slice der, struct passphrase *passphrase,
                               struct mg_error *error)
{
    (void)passphrase;
    return private_key_of_der(material, der, error);
}

static enum mg_status read_nothing(struct material *material, struct mg_slice der, struct passphrase *passphrase,
                                   struct mg_error *error)
{
    (void)material;
    (void)der;
    (void)passphrase;
    (void)error;
    return MG_OK;
}

static const struct kind {
    const char *label;
    enum pem_bundle_parts part;
    enum mg_status (*read)(struct material *material, struct mg_slice der, struct passphrase *passphrase,
                           struct mg_error *error);
} kinds[] = {
    {"CERTIFICATE", PEM_BUNDLE_CERTIFICATES, read_certificate},
    {"X509 CERTIFICATE", PEM_BUNDLE_CERTIFICATES, read_certificate},
    {"PRIVATE KEY", PEM_BUNDLE_KEY, read_key},
    {"RSA PRIVATE KEY", PEM_BUNDLE_KEY, read_key},
    {"EC PRIVATE KEY", PEM_BUNDLE_KEY, read_key},
    {"ENCRYPTED PRIVATE KEY", PEM_BUNDLE_KEY, private_key_of_encrypted_der},
    {"EC PARAMETERS", PEM_BUNDLE_KEY, read_nothing}, /* "openssl ecparam -genkey" writes it before the key */
};

static const struct kind *kind_of(struct mg_slice label)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(kinds); i++) {
        if (mg_slice_equal(label, mg_slice_of_text(kinds[i].label))) {
            return &kinds[i];
        }
    }
    return NULL;
}

static enum mg_status check_block(const struct block *block, const struct pem_bundle_rules *rules, bool is_first,
                                  const struct kind *kind, struct mg_error *error)
{
    if (kind == NULL || (kind->part & rules->parts) == 0) {
        return mg_error_set(error, MG_INVALID, "file: must hold %s, and has another PEM block",
                            rules->parts == PEM_BUNDLE_CERTIFICATES ? "certificates alone"
                            : rules->parts == PEM_BUNDLE_KEY        ? "a private key alone"
                                                                    : "certificates and a private key alone");
    }
    if (rules->wants_lines && (block->follows_text || (block->follows_block && !is_first))) {
        return mg_error_set(error, MG_INVALID,
                            "file: each certificate must begin on a line of its own (ignoreNewlineValidation=false)");
    }
    if (scan_find(block->body, mg_slice_of_text(":")) < block->body.len) {
        return mg_error_set(error, MG_INVALID,
                            "file: the private key is encrypted in the obsolete way (Proc-Type): convert it with "
                            "\"openssl pkcs8 -topk8\"");
    }
    return MG_OK;
}

static enum mg_status read_block(struct material *material, const struct block *block, bool is_first,
                                 const struct pem_bundle_rules *rules, struct passphrase *passphrase,
                                 struct mg_error *error)
{
    const struct kind *kind = kind_of(block->label);
    struct mg_buffer der;
    enum mg_status status = check_block(block, rules, is_first, kind, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_secret_buffer_init(&der, block->body.len + 1)) {
        return mg_error_set(error, MG_MEMORY, "no memory for a file");
    }
    status = base64_decode(&der, block->body)
                 ? kind->read(material, mg_buffer_slice(&der), passphrase, error)
                 : mg_error_set(error, MG_INVALID, "file: a PEM block is not Base64 (RFC 4648 section 4)");
    mg_secret_free(&der);
    return status;
}

static enum mg_status check_parts(const struct material *material, enum pem_bundle_parts parts, struct mg_error *error)
{
    if ((parts & PEM_BUNDLE_CERTIFICATES) != 0 && material->num_certificates == 0) {
        return mg_error_set(error, MG_INVALID, "file: there is no certificate in it");
    }
    if ((parts & PEM_BUNDLE_KEY) != 0 && material->key == NULL) {
        return mg_error_set(error, MG_INVALID, "file: there is no private key in it");
    }
    return MG_OK;
}

enum mg_status pem_bundle_read(struct material *material, struct mg_slice file, const struct pem_bundle_rules *rules,
                               struct passphrase *passphrase, struct mg_error *error)
{
    struct block block;
    bool found = true;
    enum mg_status status = MG_OK;
    for (bool is_first = true; status == MG_OK && found; is_first = false) {
        status = next_block(&file, &block, &found, error);
        if (status == MG_OK && found) {
            status = read_block(material, &block, is_first, rules, passphrase, error);
        }
    }
    return status == MG_OK ? check_parts(material, rules->parts, error) : status;
}

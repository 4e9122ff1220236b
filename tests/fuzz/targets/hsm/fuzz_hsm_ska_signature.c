/* SPDX-License-Identifier: Apache-2.0 */
/* What control wants an SKA key to sign: only what parses whole is signed, and a payload never if it is a SEQUENCE. */
#include <stdlib.h>

#include "hsm/ska_signature.h"

static enum mg_status record(void *arg, const struct keystore_key *key, const struct tbs *tbs, struct mg_slice names,
                             struct mg_error *error)
{
    (void)arg;
    (void)key;
    return tbs->serial.len + names.len > 0 ? MG_OK : mg_error_set(error, MG_INVALID, "a record without a serial");
}

static const struct ska_signature_journal journal = {.record = record};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One key for the whole run. */
static const struct keystore_key *the_key(void)
{
    static struct keystore_key key = {.info = {.purpose = KEY_SKA}};
    if (key.pkey == NULL) {
        key.type = key_type_get0(WIRE_KEY_EC_P256);
        if (key_type_generate(key.type, &key.pkey, NULL) != MG_OK) {
            abort();
        }
    }
    return &key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_buffer out;
    struct mg_error error = {""};
    struct wire_control_ska_sign wanted = {.digest = WIRE_SKA_SHA256, .octets = mg_slice_of(data, size)};
    if (size == 0 || size > WIRE_CONTROL_MAX_DER) {
        return 0;
    }
    mg_buffer_init(&out, 2 * WIRE_CONTROL_MAX_DER);
    for (int structure = WIRE_SKA_CERTIFICATE; structure <= WIRE_SKA_CERTIFICATION_REQUEST; structure++) {
        wanted.structure = (enum wire_ska_structure)structure;
        bool is_signed = ska_signature_of_structure(the_key(), &wanted, &journal, &out, &error) == MG_OK;
        if (is_signed != (out.len > 0) || (!is_signed && error.text[0] == '\0')) {
            abort();
        }
        if (is_signed && ska_signature_of_payload(the_key(), &wanted, &out, &error) != MG_DENIED) {
            abort();
        }
        mg_buffer_clear(&out);
    }
    mg_buffer_free(&out);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing keys as objects of a token: made, found, read, destroyed. A key is a pair of objects whose CKA_ID is the
 * signer's key id. Each function uses the session that it is given, which belongs to the calling thread.
 */
#ifndef MINTGATE_HSM_TOKEN_OBJECTS_H
#define MINTGATE_HSM_TOKEN_OBJECTS_H

#include "hsm/key_type.h"
#include "hsm/token/token.h"

/* struct object_session is whose calls these are. */
struct object_session {
    CK_FUNCTION_LIST *functions;
    CK_SESSION_HANDLE session;
};

/* struct object_label holds a label of PKCS#11 as text; empty where it is no UTF-8. */
struct object_label {
    char text[WIRE_TOKEN_MAX_LABEL + 1];
};

/* objects_generate makes a pair that the token keeps (|is_lasting|) or that lives as long as the session, from a
 * template that allows nothing but to sign and lets nothing out. |id| and |label| may be empty. REFUSED: the token has
 * no such mechanism or does not take the template. */
enum wire_token_status objects_generate(const struct object_session *at, const struct key_type *type, bool is_lasting,
                                        struct mg_slice id, struct mg_slice label, CK_OBJECT_HANDLE *public_key,
                                        CK_OBJECT_HANDLE *private_key, struct token_error *error);

/* objects_find_private finds the one private key with |id|: NOT_FOUND; FAILED if there are several. */
enum wire_token_status objects_find_private(const struct object_session *at, const struct wire_key_id *id,
                                            CK_OBJECT_HANDLE *out, struct token_error *error);

/* objects_public_key reads the public key with |id|, of a type that the signer has: its SubjectPublicKeyInfo (owned by
 * the caller; OPENSSL_free) and its type. NOT_FOUND, REFUSED (of another type), FAILED. */
enum wire_token_status objects_public_key(const struct object_session *at, const struct wire_key_id *id,
                                          const struct key_type **type, uint8_t **der, size_t *der_len,
                                          struct token_error *error);

/* objects_attributes asks the token about its private key |key|: out->answers, mechanism and label. The private value
 * is asked for too, and if the token gives it out, wiped. */
enum wire_token_status objects_attributes(const struct object_session *at, CK_OBJECT_HANDLE key, bool is_rsa,
                                          struct wire_token_attributes *out, struct object_label *label,
                                          struct token_error *error);

/* objects_list fills |out| with the private keys that have an id and a type of ours, and |labels| with their labels.
 * At most WIRE_TOKEN_MAX_KEYS, others are left out. */
enum wire_token_status objects_list(const struct object_session *at, struct wire_token_list *out,
                                    struct object_label labels[WIRE_TOKEN_MAX_KEYS], struct token_error *error);

/* objects_destroy destroys every object of the pair with |id|, the private key first. OK also if there is none. */
enum wire_token_status objects_destroy(const struct object_session *at, const struct wire_key_id *id,
                                       struct token_error *error);

#endif

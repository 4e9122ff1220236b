/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control's client of the signer's control socket (wire/signer_control.h): blocking calls on one connection, which is
 * made when it is first needed and again when it was lost. A call whose answer was lost with an old connection is made
 * once more on a new one: the signer does each of them twice as it does it once.
 *
 * Any thread may call; calls are made one after the other. Each returns, besides the classes that it names,
 *   MG_IO        no answer: the signer is not running, went away, or took too long; |error| says which. What was asked
 *                for may have been done or not: ask again later
 *   MG_AGAIN     the token that holds the key, or is to hold it, is away; nothing is known of what was asked for, as
 *                with MG_IO, and |error| names the token
 *   MG_INVALID   a field breaks a rule of the signer
 *   MG_DENIED    the key's purpose or origin forbids the call
 *   MG_INTERNAL  the signer failed, or answered what does not decode
 * and |error| names field and rule.
 */
#ifndef MINTGATE_CONTROL_KEYS_SIGNER_CLIENT_H
#define MINTGATE_CONTROL_KEYS_SIGNER_CLIENT_H

#include "base/buffer.h"
#include "wire/signer_control.h"

/* Enough for an RSA_4K key on a slow and busy machine. */
#define SIGNER_CLIENT_DEFAULT_TIMEOUT_MS 60000

struct signer_client;

/* signer_client_new makes a client of the socket at |path|, without connecting yet. |timeout_ms| bounds each call, the
 * connecting included. */
MG_MUST_USE enum mg_status signer_client_new(struct signer_client **out, const char *path, uint32_t timeout_ms,
                                             struct mg_error *error);
void signer_client_free(struct signer_client *client);

/* signer_client_probe asks the signer for nothing, within |timeout_ms|, to see whether it answers. While another call
 * is under way it asks nothing and says what is known. MG_IO: it does not answer. */
MG_MUST_USE enum mg_status signer_client_probe(struct signer_client *client, uint32_t timeout_ms,
                                               struct mg_error *error);

/* signer_client_is_reachable tells whether the last call, or probe, was answered; false before the first. */
bool signer_client_is_reachable(const struct signer_client *client);

/* signer_client_metrics appends that, and the calls by how they ended. */
void signer_client_metrics(const struct signer_client *client, struct mg_buffer *out);

/* signer_client_list calls |visit| for each key of the signer in the order of their ids, until that returns other than
 * MG_OK, which is then the result. What |visit| gets is borrowed for the call; it must not use the client. */
typedef enum mg_status signer_client_visitor(void *arg, const struct wire_control_key *key);
MG_MUST_USE enum mg_status signer_client_list(struct signer_client *client, signer_client_visitor *visit, void *arg,
                                              struct mg_error *error);

/* signer_client_make_key has a minting key of |type| made, or returns the one made with |token| before. |label|: UTF-8,
 * at most WIRE_CONTROL_MAX_LABEL bytes. |holder|: the PKCS#11 token that is to hold it, at most
 * WIRE_CONTROL_MAX_HOLDER bytes; "": the signer itself. MG_EXISTS: that key is of another type, label or holder;
 * MG_LIMIT: the signer is full; MG_NOT_FOUND: the signer knows no such token; MG_DENIED: it makes no such keys. */
MG_MUST_USE enum mg_status signer_client_make_key(struct signer_client *client, enum wire_key_type type,
                                                  const struct wire_control_token *token, const char *label,
                                                  const char *holder, struct wire_key_id *out, struct mg_error *error);

/* signer_client_make_key_for is signer_client_make_key for a key of |purpose|. */
MG_MUST_USE enum mg_status signer_client_make_key_for(struct signer_client *client, enum wire_key_purpose purpose,
                                                      enum wire_key_type type, const struct wire_control_token *token,
                                                      const char *label, const char *holder, struct wire_key_id *out,
                                                      struct mg_error *error);

/* signer_client_import_key hands over the private key |secret| (PKCS#8, DER; the caller wipes it), for minting or
 * tls-client, or returns the key that was imported with |token| before. As signer_client_make_key otherwise; MG_INVALID
 * also for a key that is of no supported type or contradicts itself. */
MG_MUST_USE enum mg_status signer_client_import_key(struct signer_client *client, enum wire_key_purpose purpose,
                                                    const struct wire_control_token *token, const char *label,
                                                    struct mg_slice secret, struct wire_key_id *out,
                                                    struct mg_error *error);

/* signer_client_public_key appends the SubjectPublicKeyInfo (DER) of a key to |der|. MG_NOT_FOUND: no such key. */
MG_MUST_USE enum mg_status signer_client_public_key(struct signer_client *client, const struct wire_key_id *key_id,
                                                    struct mg_buffer *der, struct mg_error *error);

/* signer_client_make_csr appends a certification request (PKCS#10, DER) for a key to |der|. MG_NOT_FOUND: no such
 * key. */
MG_MUST_USE enum mg_status signer_client_make_csr(struct signer_client *client, const struct wire_key_id *key_id,
                                                  const struct wire_control_make_csr *wanted, struct mg_buffer *der,
                                                  struct mg_error *error);

/* signer_client_attest appends the attestation of a key (docs/api/attestation.md) to |text|, with |nonce| in it, which
 * is random. MG_NOT_FOUND: no such key, or the signer does not know its token; MG_DENIED: no token holds it, or the
 * token has another key in its place. */
MG_MUST_USE enum mg_status signer_client_attest(struct signer_client *client, const struct wire_key_id *key_id,
                                                const uint8_t nonce[WIRE_CONTROL_NONCE_LEN], struct mg_buffer *text,
                                                struct mg_error *error);

/* signer_client_install makes a key an issuer with these certificates (DER, its own first). MG_NOT_FOUND: no such key;
 * MG_LIMIT: the signer has no room for another issuer. */
MG_MUST_USE enum mg_status signer_client_install(struct signer_client *client, const struct wire_key_id *key_id,
                                                 const struct wire_control_chain *chain, struct mg_error *error);

/* signer_client_remove ends that: when it returns no leaf is signed with the key any more. MG_NOT_FOUND: no such key.
 * signer_client_destroy removes and destroys the key; MG_OK also if there is none (any more). */
MG_MUST_USE enum mg_status signer_client_remove(struct signer_client *client, const struct wire_key_id *key_id,
                                                struct mg_error *error);
MG_MUST_USE enum mg_status signer_client_destroy(struct signer_client *client, const struct wire_key_id *key_id,
                                                 struct mg_error *error);

/* signer_client_sign_certificate appends to |signature| the content of signatureValue over |tbs| (DER of a
 * TBSCertificate) by the key of a private CA; signer_client_sign_crl over a TBSCertList. MG_INVALID: the signer's
 * policy refuses it. MG_NOT_FOUND: no such key. */
MG_MUST_USE enum mg_status signer_client_sign_certificate(struct signer_client *client,
                                                          const struct wire_key_id *key_id, struct mg_slice tbs,
                                                          struct mg_buffer *signature, struct mg_error *error);
MG_MUST_USE enum mg_status signer_client_sign_crl(struct signer_client *client, const struct wire_key_id *key_id,
                                                  struct mg_slice tbs, struct mg_buffer *signature,
                                                  struct mg_error *error);

/* signer_client_ska_sign_tbs has an SKA key sign a TBSCertificate or a CertificationRequestInfo and appends the whole
 * signed structure (DER) to |out|; signer_client_ska_sign_payload appends its signature over another payload.
 * MG_NOT_FOUND: no such key. */
MG_MUST_USE enum mg_status signer_client_ska_sign_tbs(struct signer_client *client, const struct wire_key_id *key_id,
                                                      const struct wire_control_ska_sign *wanted, struct mg_buffer *out,
                                                      struct mg_error *error);
MG_MUST_USE enum mg_status signer_client_ska_sign_payload(struct signer_client *client,
                                                          const struct wire_key_id *key_id,
                                                          const struct wire_control_ska_sign *wanted,
                                                          struct mg_buffer *out, struct mg_error *error);

#endif

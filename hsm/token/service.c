/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/service.h"

#include <openssl/crypto.h>

#include "base/utf8.h"
#include "hsm/token/signature.h"
#include "wire/token_attributes.h"

/* struct call is one under way, and what its reply borrows from. */
struct call {
    struct token_service *service;
    const struct wire_token_request *request;
    struct wire_token_reply *reply;
    struct object_session at;
    uint8_t *der; /* owned; OPENSSL_free */
    size_t der_len;
    uint8_t signature[WIRE_TOKEN_MAX_SIGNATURE];
    struct object_label labels[WIRE_TOKEN_MAX_KEYS];
};

static enum wire_token_status do_ping(struct call *call, struct token_error *error)
{
    call->reply->health = workers_health(call->service->workers);
    return token_check(call->service->token, error);
}

static enum wire_token_status do_list(struct call *call, struct token_error *error)
{
    return objects_list(&call->at, &call->reply->list, call->labels, error);
}

static enum wire_token_status read_public_key(struct call *call, const struct wire_key_id *id,
                                              const struct key_type **type, struct token_error *error)
{
    return objects_public_key(&call->at, id, type, &call->der, &call->der_len, error);
}

static enum wire_token_status do_public_key(struct call *call, struct token_error *error)
{
    const struct key_type *type;
    enum wire_token_status status = read_public_key(call, &call->request->key_id, &type, error);
    call->reply->spki = mg_slice_of(call->der, call->der_len);
    return status;
}

/* read_attributes asks the token for all that it says of the key |id|. */
static enum wire_token_status read_attributes(struct call *call, const struct wire_key_id *id,
                                              struct wire_token_attributes *out, struct token_error *error)
{
    const struct key_type *type;
    CK_OBJECT_HANDLE key;
    enum wire_token_status status = read_public_key(call, id, &type, error);
    if (status == WIRE_TOKEN_OK) {
        status = objects_find_private(&call->at, id, &key, error);
    }
    if (status == WIRE_TOKEN_OK) {
        status = objects_attributes(&call->at, key, type->curve == NULL, out, &call->labels[0], error);
    }
    if (status == WIRE_TOKEN_OK) {
        out->type = type->type;
        out->spki = mg_slice_of(call->der, call->der_len);
    }
    return status;
}

static enum wire_token_status do_attributes(struct call *call, struct token_error *error)
{
    return read_attributes(call, &call->request->key_id, &call->reply->attributes, error);
}

static enum wire_token_status do_destroy(struct call *call, struct token_error *error)
{
    token_keys_forget(call->service->keys, &call->request->key_id);
    return objects_destroy(&call->at, &call->request->key_id, error);
}

/* check_made judges the key that the token has under the id of the request: one that was there before too. */
static enum wire_token_status check_made(struct call *call, struct token_error *error)
{
    struct wire_token_attributes attributes;
    struct mg_error why;
    enum wire_token_status status = read_attributes(call, &call->request->make_key.id, &attributes, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    if (attributes.type != call->request->make_key.type) {
        return token_error_set(error, WIRE_TOKEN_EXISTS, CKR_OK, "key id: the token has a key of another type");
    }
    if (token_attributes_check(&attributes, &why) != MG_OK) {
        return token_error_set(error, WIRE_TOKEN_REFUSED, CKR_OK, "%s", why.text);
    }
    call->reply->spki = attributes.spki;
    return WIRE_TOKEN_OK;
}

static enum wire_token_status generate(struct call *call, struct token_error *error)
{
    const struct wire_key_id *id = &call->request->make_key.id;
    const struct key_type *type = key_type_get0(call->request->make_key.type);
    CK_OBJECT_HANDLE public_key, private_key;
    struct token_error ignored;
    enum wire_token_status status = objects_generate(&call->at, type, true, mg_slice_of(id->bytes, sizeof(id->bytes)),
                                                     call->request->make_key.label, &public_key, &private_key, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    status = check_made(call, error);
    if (status != WIRE_TOKEN_OK) {
        (void)objects_destroy(&call->at, id, &ignored); /* nothing is left that must not be used */
    }
    return status;
}

static enum wire_token_status do_make_key(struct call *call, struct token_error *error)
{
    CK_OBJECT_HANDLE key;
    enum wire_token_status status = objects_find_private(&call->at, &call->request->make_key.id, &key, error);
    if (status == WIRE_TOKEN_NOT_FOUND) {
        *error = (struct token_error){.rv = CKR_OK};
        return generate(call, error);
    }
    return status == WIRE_TOKEN_OK ? check_made(call, error) : status;
}

static enum wire_token_status do_sign_one(struct call *call, struct token_error *error)
{
    const struct wire_token_sign_one *wanted = &call->request->sign_one;
    struct token_key *key;
    size_t len;
    enum wire_token_status status = token_keys_find(call->service->keys, &call->at, &wanted->key, &key, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    status =
        token_sign(&call->at, key->handle, key->type, wanted->digest, wanted->octets, call->signature, &len, error);
    if (status == WIRE_TOKEN_OK) {
        call->reply->signature = mg_slice_of(call->signature, len);
    } else {
        token_keys_forget(call->service->keys, &wanted->key.id);
    }
    token_key_release(key);
    return status;
}

/* A text with something in it that came from a module may be no UTF-8. */
static void refuse(struct wire_token_reply *reply, const struct token_error *error)
{
    struct mg_slice text = mg_slice_of_text(error->why.text);
    reply->rv = (uint32_t)error->rv;
    reply->text = mg_utf8_is_label(text) ? text : mg_slice_of_text("refused");
}

enum mg_status token_service_handle(struct token_service *service, struct mg_slice packet, struct mg_buffer *out,
                                    bool *is_lost, struct mg_error *error)
{
    static enum wire_token_status (*const calls[WIRE_TOKEN_LAST_CALL + 1])(struct call *, struct token_error *) = {
        [WIRE_TOKEN_PING] = do_ping,
        [WIRE_TOKEN_LIST] = do_list,
        [WIRE_TOKEN_MAKE_KEY] = do_make_key,
        [WIRE_TOKEN_PUBLIC_KEY] = do_public_key,
        [WIRE_TOKEN_ATTRIBUTES] = do_attributes,
        [WIRE_TOKEN_SIGN_ONE] = do_sign_one,
        [WIRE_TOKEN_DESTROY] = do_destroy,
    };
    struct wire_token_request request;
    enum mg_status status = wire_token_decode_request(packet, &request, error);
    if (status != MG_OK) {
        return status;
    }
    struct wire_token_reply reply = {.call = request.call, .id = request.id};
    struct token_error why = {.rv = CKR_OK};
    struct call call = {.service = service,
                        .request = &request,
                        .reply = &reply,
                        .at = {.functions = service->token->functions, .session = service->token->session}};
    reply.status = calls[request.call](&call, &why);
    if (reply.status != WIRE_TOKEN_OK) {
        refuse(&reply, &why);
    }
    *is_lost = token_trouble_of(why.rv) == TOKEN_TROUBLE_LOST;
    mg_buffer_clear(out);
    wire_token_encode_reply(out, &reply);
    OPENSSL_free(call.der);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a reply");
}
